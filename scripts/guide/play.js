(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  root.classList.add("js");
  const words = JSON.parse($("words").textContent);
  const say = (key, values = {}) =>
    Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), words[key]);

  // The language that was chosen last is remembered; an address with ?lang= is never left.
  const remember = (key, value) => {
    try {
      if (value !== undefined) localStorage.setItem(key, value);
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  if (root.lang === "ko" && remember("guide-language") === "en" && !location.search.includes("lang=")) {
    location.replace(`en.html${location.hash}`);
  }
  $("language").addEventListener("click", (event) => {
    const link = event.currentTarget;
    remember("guide-language", link.hreflang);
    link.hash = location.hash;
  });

  // On a phone the contents would fill a screen.
  if (matchMedia("(max-width: 64rem)").matches) $("contents").open = false;

  // A name marks all its uses: under the mouse, and from a press until the next.
  let chosen = "";
  const mark = (name) => {
    for (const use of document.querySelectorAll(".line i")) {
      use.classList.toggle("marked", use.textContent === name);
    }
  };
  const choose = (name) => {
    chosen = chosen === name ? "" : name;
    for (const button of document.querySelectorAll("[data-mark]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mark === chosen));
    }
    mark(chosen);
  };
  document.addEventListener("click", (event) => {
    const use = event.target.closest?.(".line i, [data-mark]");
    if (use) choose(use.dataset.mark ?? use.textContent);
  });
  document.addEventListener("pointerover", (event) => {
    const use = event.target.closest?.(".line i");
    mark(use ? use.textContent : chosen);
  });

  // Paper shows what a click would.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")];
    for (const details of opened) details.removeAttribute("name");
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
  const openTarget = () => {
    const target = location.hash && $(decodeURIComponent(location.hash.slice(1)));
    if (target?.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  // candle. It computes all that is shown below; this script draws.
  const WEIGHTS = ["a", "b", "c", "d"];
  const POST = { rate: 1e-6, function: 0, seed: 4034316668 };
  let candle;
  let run = null; // the run that is shown

  async function load() {
    const bytes = Uint8Array.from(atob(window.GUIDE_CANDLE), (c) => c.charCodeAt(0));
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const module = await WebAssembly.compile(await new Response(unpacked).arrayBuffer());
    const imports = {};
    // Left over by getrandom; nothing calls them.
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      (imports[from] ??= {})[name] = () => {
        throw new Error(name);
      };
    }
    candle = (await WebAssembly.instantiate(module, imports)).exports;
    window.guide = { candle };
  }

  function must(answer) {
    if (answer >= 0) return answer;
    let text = "";
    for (let i = 0, byte; (byte = candle.message(i)); i++) text += String.fromCharCode(byte);
    throw new Error(text.split("\n")[0]);
  }

  /** As the program prints it; what has exploded, in words or as a power of ten. */
  function digits(value) {
    if (Number.isNaN(value)) return words.nan;
    if (!Number.isFinite(value)) return words.inf;
    return Math.abs(value) < 1e9 ? String(value) : value.toExponential(2).replace("e+", "e");
  }
  const short = (value) => digits(Number(value.toPrecision(4)));

  // The learning rates of the slider: 1.0e-7, 1.1e-7, ..., 9.9e-6, 1.0e-5.
  const RATES = 180;
  const rateAt = (place) => Number(`${10 + (place % 90)}e${Math.floor(place / 90) - 8}`);
  const placeOf = (rate) => {
    const power = Math.floor(Math.log10(rate) + 1e-9);
    return 90 * (power + 7) + 10 * (rate / 10 ** power) - 10;
  };
  for (const mark of document.querySelectorAll("[data-rate]")) {
    mark.style.setProperty("--at", placeOf(Number(mark.dataset.rate)) / RATES);
  }

  function number(id, least, most) {
    const value = Number($(id).value);
    const good = $(id).value.trim() !== "" && value >= least && value <= most && Number.isInteger(value);
    $(id).setAttribute("aria-invalid", String(!good));
    if (!good) throw new RangeError(say("invalid", { name: $(id).labels[0].firstChild.textContent.trim(), least, most }));
    return value;
  }
  const settings = () => ({
    rate: rateAt(Number($("rate").value)),
    epochs: number("epochs", 1, 20000),
    seed: number("seed", 0, 2 ** 53 - 1),
    function: Number($("function").value),
    rung: Number($("rung").value),
  });
  const python = [...document.querySelectorAll("[data-python]")].map((cell) => cell.textContent);

  /** A run of 1000 points in f32, before its first epoch. */
  function begin() {
    stop();
    const task = settings();
    // The post took the third four numbers of its seed.
    must(candle.draw(task.seed, task.seed === POST.seed ? 3 : 1));
    must(candle.begin(1000, task.function, 0, task.rung, task.rate, ...WEIGHTS.map((_, i) => candle.drawn(i))));
    // Every third point is enough for a line.
    const points = (read) => Array.from({ length: 334 }, (_, i) => read(3 * i));
    must(candle.predict_best());
    run = { ...task, losses: [], ms: 0, points, x: points(candle.x), y: points(candle.y), best: points(candle.curve) };
    run.post = Object.entries(POST).every(([name, value]) => run[name] === value);
    $("epoch").max = run.epochs;
    $("losses").tBodies[0].replaceChildren();
  }

  /** Trains up to an epoch, where that is still to be done, and shows it. */
  function goTo(epoch) {
    const begun = performance.now();
    const from = run.losses.length;
    if (epoch > from) must(candle.advance(epoch - from));
    run.ms += performance.now() - begun;
    for (let i = from; i < epoch; i++) {
      run.losses.push(candle.loss(i));
      if (i % 100 === 0) printed(i);
    }
    run.shown = epoch;
    const loss = digits(run.losses[epoch - 1]);
    $("epoch").value = epoch;
    $("epoch").setAttribute("aria-valuetext", `${epoch}, ${words.loss} ${loss}`);
    $("epoch-shown").textContent = `${epoch} / ${run.epochs}`;
    $("loss-shown").textContent = loss;
    drawCurve();
    drawLosses();
    if ($("numbers").open) gradients();
    if (epoch > from && epoch === run.epochs) $("status").textContent = verdict();
  }

  /** What a button or a setting does; a mistake is told. */
  const attempt = (work) => () => {
    try {
      work();
    } catch (error) {
      stop();
      $("status").textContent = error instanceof RangeError ? error.message : `${words.wrong} ${error.message}`;
    }
  };

  // Training that can be watched: slow at first, where most happens.
  let moving = 0;
  function stop() {
    cancelAnimationFrame(moving);
    moving = 0;
    $("run").textContent = words.run;
  }
  function train() {
    if (moving) return stop();
    if (!run || run.shown >= run.epochs) begin();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return goTo(run.epochs);
    $("run").textContent = words.pause;
    if (run.losses.length < run.epochs) $("status").textContent = words.running;
    const from = run.shown ?? 0;
    const start = performance.now();
    const frame = attempt(() => {
      const part = Math.min(1, (performance.now() - start) / 4000);
      goTo(Math.max(1, from + Math.ceil((run.epochs - from) * part ** 3)));
      if (part < 1) moving = requestAnimationFrame(frame);
      else stop();
    });
    moving = requestAnimationFrame(frame);
  }
  function step() {
    stop();
    if (!run || run.shown >= run.epochs) begin();
    goTo((run.shown ?? 0) + 1);
    if (run.losses.length < run.epochs) $("status").textContent = words.stepped;
  }
  /** The whole run at once: the picture follows the setting. */
  function whole() {
    $("rate-shown").textContent = rateAt(Number($("rate").value)).toExponential();
    $("rate").setAttribute("aria-valuetext", $("rate-shown").textContent);
    begin();
    goTo(run.epochs);
  }

  /** A line of the output. */
  function printed(i) {
    const row = $("losses").tBodies[0].insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = i + 1;
    const theirs = (run.post && python[i / 100]) || "";
    row.append(head);
    row.insertCell().textContent = digits(run.losses[i]);
    row.insertCell().textContent = theirs;
    if (theirs === row.cells[1].textContent) row.className = "same";
  }

  function verdict() {
    const { losses, epochs, post, ms } = run;
    const [last, best, flat, limit] = [losses[epochs - 1], candle.aim(0), candle.aim(1), candle.aim(2)];
    const values = { n: epochs, ms: Math.round(ms), first: short(losses[0]), loss: short(last) };
    Object.assign(values, { best: short(best), flat: short(flat), limit: limit.toExponential(2) });
    const lost = losses.findIndex((loss) => !Number.isFinite(loss));
    if (lost >= 0) return say("diverged", { ...values, n: lost + 1 });
    if (last > losses[0]) return say("growing", values);
    const same = post && $("losses").querySelectorAll(".same").length === 10;
    return [say("done", values), same && words.same, say(last > flat ? "worse" : "near", values)].filter(Boolean).join(" ");
  }

  // Pictures.
  const NS = "http://www.w3.org/2000/svg";
  function add(parent, name, attributes, text) {
    const element = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }
  // The page has the same box, as the clip path #inside.
  const BOX = { left: 62, right: 596, top: 14, bottom: 276 };
  const between = (from, to, part) => from + (to - from) * part;
  const minus = (value) => String(value).replace("-", "\u2212");

  /** An empty frame with ticks; `xs` and `ys` are places from 0 to 1 and their labels. */
  function frame(svg, xs, ys) {
    const { left, right, top, bottom } = BOX;
    svg.replaceChildren();
    add(svg, "rect", { x: left, y: top, width: right - left, height: bottom - top, class: "frame" });
    for (const [part, text] of xs) {
      const x = between(left, right, part);
      add(svg, "line", { x1: x, x2: x, y1: bottom, y2: bottom + 5 });
      add(svg, "text", { x, y: bottom + 23, "text-anchor": "middle" }, minus(text));
    }
    for (const [part, text] of ys) {
      const y = between(bottom, top, part);
      add(svg, "line", { x1: left - 5, x2: left, y1: y, y2: y });
      add(svg, "text", { x: left - 9, y: y + 5, "text-anchor": "end" }, minus(text));
    }
  }

  /** A line through points from 0 to 1, cut off at the frame. */
  function line(svg, points, name) {
    let d = "";
    let pen = "M";
    for (const [x, y] of points) {
      if (!Number.isFinite(y)) {
        pen = "M";
        continue;
      }
      d += `${pen}${between(BOX.left, BOX.right, x).toFixed(1)} ${between(BOX.bottom, BOX.top, Math.max(-50, Math.min(50, y))).toFixed(2)}`;
      pen = "L";
    }
    return add(svg, "path", { d, class: name, "clip-path": "url(#inside)" });
  }
  const lost = (svg, name) => add(svg, "text", { x: 329, y: 60, "text-anchor": "middle", class: "lost" }, say("lost", { name }));

  function drawCurve() {
    must(candle.predict(run.shown - 1));
    const predicted = run.points(candle.curve);
    const height = predicted.reduce((most, y) => Math.max(most, Number.isFinite(y) ? Math.abs(y) : Infinity), 1.05);
    // The axis jumps now and then and does not tremble; it ends at 10.
    const most = [1.5, 2, 3, 5, 10].find((step) => step >= height) ?? 10;
    const svg = $("curve");
    svg.dataset.most = most;
    const up = (y) => 0.5 + y / (2 * most);
    const across = (x) => 0.5 + x / (2 * Math.PI);
    frame(svg, [-3, -2, -1, 0, 1, 2, 3].map((x) => [across(x), x]), [-most, 0, most].map((y) => [up(y), y]));
    const curve = (ys) => ys.map((y, i) => [across(run.x[i]), up(y)]);
    line(svg, curve(run.best), "three");
    line(svg, curve(run.y), "one");
    line(svg, curve(predicted), "two").id = "y-pred-path";
    if (height > 1e3) lost(svg, words["legend.pred"]);
  }

  /** The loss on a log axis from 1 to 10⁴, or to 10⁸ where it grows. */
  function drawLosses() {
    const { losses, epochs, shown } = run;
    const high = losses.some((loss) => !(loss < 1e4)) ? 8 : 4;
    const up = (loss) => Math.log10(loss) / high;
    const across = (epoch) => (epoch - 1) / Math.max(1, epochs - 1);
    const svg = $("loss-curve");
    const xs = [...new Set([1, ...[0.25, 0.5, 0.75, 1].map((part) => Math.max(1, Math.round(part * epochs)))])];
    frame(svg, xs.map((e) => [across(e), e]), [0, 1, 2, 3, 4].map((i) => [i / 4, i * high < 16 ? 10 ** ((i * high) / 4) : `1e${(i * high) / 4}`]));
    for (const [which, name] of [[0, "three"], [1, "two"]]) {
      line(svg, [0, 1].map((x) => [x, up(candle.aim(which))]), name);
    }
    line(svg, losses.map((loss, i) => [across(i + 1), up(loss)]), "one").id = "loss-path";
    line(svg, [[across(shown), 0], [across(shown), 1]], "now");
    if (!(losses[shown - 1] < 1e8)) lost(svg, words.loss);
  }

  /** The gradient of the epoch that is shown, in three ways. */
  function gradients() {
    const body = $("at").tBodies[0];
    body.replaceChildren();
    must(candle.check(run.shown - 1));
    WEIGHTS.forEach((name, i) => {
      const row = body.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = name;
      row.append(head);
      for (const value of [candle.weight(run.shown - 1, i), ...[0, 1, 2].map((way) => candle.checked(way, i))]) {
        const cell = row.insertCell();
        cell.dataset.value = value;
        cell.textContent = Number.isFinite(value) ? digits(Number(value.toPrecision(7))) : String(value);
      }
    });
  }

  function listen() {
    $("run").addEventListener("click", attempt(train));
    $("step").addEventListener("click", attempt(step));
    $("rate").addEventListener("input", attempt(whole));
    $("epoch").addEventListener("input", attempt(() => (stop(), goTo(Number($("epoch").value)))));
    $("numbers").addEventListener("toggle", attempt(() => $("numbers").open && run && gradients()));
    $("settings").addEventListener("submit", (event) => event.preventDefault());
    $("settings").addEventListener("change", attempt(whole));
  }

  load().then(
    () => {
      listen();
      root.classList.add("ready");
      attempt(train)();
    },
    (error) => {
      $("status").textContent = `${words.failed} ${error.message}`;
    },
  );
})();
