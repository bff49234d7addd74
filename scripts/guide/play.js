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

  // On a phone the contents would fill the first screen.
  if (matchMedia("(max-width: 64rem)").matches) $("contents").open = false;

  // A name marks all its uses: while pointed at, and until pressed again.
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
  const PRESETS = {
    post: {},
    quick: { rate: "6e-6" },
    limit: { rate: "7.2e-6" },
    cos: { function: "1", rate: "6e-6" },
    autograd: { rung: "1" },
  };
  const START = { rate: "1e-6", epochs: "1000", points: "1000", function: "0", rung: "0", dtype: "0" };
  Object.assign(START, { seed: "4034316668", draw: "3" });
  let candle;
  let current = null; // the run that is shown
  let latest = 0; // the number of the last run that was asked for

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

  const message = () => {
    let text = "";
    for (let i = 0, byte; (byte = candle.message(i)); i++) text += String.fromCharCode(byte);
    return text.split("\n")[0];
  };
  const must = (answer) => {
    if (answer < 0) throw new Error(message());
    return answer;
  };

  /** As Rust prints an f64. */
  function rust(value) {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf";
    const [digits, exponent] = String(value).split("e");
    if (exponent === undefined) return digits;
    const [, sign, whole, part = ""] = /^(-?)(\d+)\.?(\d*)$/.exec(digits);
    const point = whole.length + Number(exponent);
    const all = whole + part;
    if (point <= 0) return `${sign}0.${"0".repeat(-point)}${all}`;
    return sign + all.padEnd(point, "0");
  }

  function short(value) {
    if (!Number.isFinite(value)) return rust(value);
    const plain = String(Number(value.toPrecision(4)));
    return Math.abs(value) < 1e6 ? plain : Number(value.toPrecision(4)).toExponential().replace("e+", "e");
  }

  // Settings.
  const number = (id, least, most, whole) => {
    const value = Number($(id).value);
    const good = $(id).value.trim() !== "" && value >= least && value <= most && (!whole || Number.isInteger(value));
    $(id).setAttribute("aria-invalid", String(!good));
    if (!good) {
      const label = $(id).closest("label").firstChild.textContent.trim();
      throw new RangeError(say("invalid", { name: `${label} (${least}–${most})` }));
    }
    return value;
  };
  const settings = () => ({
    rate: number("rate", 1e-12, 1, false),
    epochs: number("epochs", 1, 20000, true),
    points: number("points", 4, 20000, true),
    function: Number($("function").value),
    rung: Number($("rung").value),
    dtype: Number($("dtype").value),
    weights: WEIGHTS.map((_, i) => number(`w${i}`, -1e6, 1e6, false)),
  });
  function draw() {
    must(candle.draw(number("seed", 0, 2 ** 53 - 1, true), number("draw", 1, 1e5, true)));
    WEIGHTS.forEach((_, i) => ($(`w${i}`).value = String(candle.drawn(i))));
  }
  function isPost({ rate, points, function: f, weights }) {
    candle.draw(Number(START.seed), Number(START.draw));
    return rate === 1e-6 && points === 1000 && f === 0 && weights.every((w, i) => w === candle.drawn(i));
  }
  const python = new Map(
    [...document.querySelectorAll("[data-python]")].map((cell) => [Number(cell.dataset.python), cell.textContent]),
  );

  // A run: in slices, so that the page stays alive and the table grows line by line.
  async function run() {
    const mine = ++latest;
    stop();
    try {
      const task = settings();
      const post = isPost(task);
      must(candle.begin(task.points, task.function, task.dtype, task.rung, task.rate, ...task.weights));
      $("limit").textContent = candle.aim(2).toExponential(2);
      $("status").textContent = words.running;
      $("losses").tBodies[0].replaceChildren();
      const shown = { task, post, printed: 0, done: 0, ms: 0 };
      while (shown.done < task.epochs) {
        const begun = performance.now();
        do shown.done = must(candle.advance(Math.min(20, task.epochs - shown.done)));
        while (shown.done < task.epochs && performance.now() - begun < 12);
        shown.ms += performance.now() - begun;
        print(shown);
        await new Promise((resolve) => setTimeout(resolve));
        if (mine !== latest) return;
      }
      current = shown;
      show();
    } catch (error) {
      $("status").textContent = error instanceof RangeError ? error.message : `${words.wrong} ${error.message}`;
    }
  }

  /** The lines of the epochs that are new. */
  function print(shown) {
    const every = Math.max(100, Math.ceil(shown.task.epochs / 2000) * 100);
    for (; shown.printed < shown.done; shown.printed += every) {
      const row = $("losses").tBodies[0].insertRow();
      const epoch = document.createElement("th");
      epoch.scope = "row";
      epoch.textContent = shown.printed + 1;
      const loss = rust(candle.loss(shown.printed));
      const theirs = (shown.post && python.get(shown.printed + 1)) || "";
      row.append(epoch);
      row.insertCell().textContent = loss;
      row.insertCell().textContent = theirs;
      if (theirs === loss) row.cells[1].className = row.cells[2].className = "same";
    }
  }

  function show() {
    const { task, done, ms } = current;
    $("pictures").hidden = false;
    current.losses = Array.from({ length: done }, (_, i) => candle.loss(i));
    current.x = Array.from({ length: task.points }, (_, i) => candle.x(i));
    current.y = Array.from({ length: task.points }, (_, i) => candle.y(i));
    must(candle.predict_best());
    current.best = Array.from({ length: task.points }, (_, i) => candle.curve(i));
    $("status").textContent = verdict(ms);
    $("epoch").max = String(done);
    $("epoch").value = String(done);
    drawLosses();
    look();
  }

  function verdict(ms) {
    const { losses, done, post } = current;
    const [last, best, flat] = [losses[done - 1], candle.aim(0), candle.aim(1)];
    const values = { n: done, ms: Math.round(ms), loss: rust(last), best: short(best), flat: short(flat) };
    values.limit = candle.aim(2).toExponential(2);
    const lost = losses.findIndex((loss) => !Number.isFinite(loss));
    if (lost >= 0) return say("diverged", { ...values, n: lost + 1 });
    const rows = [...$("losses").tBodies[0].rows];
    const same = post && rows.length === 10 && rows.every((row) => row.cells[1].className === "same");
    const parts = [say("done", values)];
    if (same) parts.push(words.same);
    parts.push(say(last > losses[0] ? "growing" : last > flat ? "worse" : "near", values));
    return parts.join(" ");
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
  const path = (points) => {
    let d = "";
    let pen = "M";
    for (const [x, y] of points) {
      if (Number.isFinite(x) && Number.isFinite(y)) {
        d += `${pen}${x.toFixed(2)} ${Math.max(-1e4, Math.min(1e4, y)).toFixed(2)}`;
        pen = "L";
      } else {
        pen = "M";
      }
    }
    return d;
  };
  const line = (svg, points, color, dash = "") =>
    add(svg, "path", { d: path(points), fill: "none", stroke: `var(--${color})`, "stroke-width": 2.5, "stroke-dasharray": dash });
  const legend = (svg, entries) => {
    entries.forEach(([text, color, dash], i) => {
      const x = 70 + i * 190;
      add(svg, "line", { x1: x, x2: x + 26, y1: 14, y2: 14, stroke: `var(--${color})`, "stroke-width": 3, "stroke-dasharray": dash });
      add(svg, "text", { x: x + 32, y: 19 }, text);
    });
  };
  function frame(svg, { left, right, top, bottom }, xs, ys) {
    add(svg, "rect", { x: left, y: top, width: right - left, height: bottom - top, fill: "none", stroke: "currentColor" });
    for (const [at, text] of xs) {
      add(svg, "line", { x1: at, x2: at, y1: bottom, y2: bottom + 5, stroke: "currentColor" });
      add(svg, "text", { x: at, y: bottom + 21, "text-anchor": "middle" }, text);
    }
    for (const [at, text] of ys) {
      add(svg, "line", { x1: left - 5, x2: left, y1: at, y2: at, stroke: "currentColor" });
      add(svg, "text", { x: left - 9, y: at + 5, "text-anchor": "end" }, text);
    }
  }
  const BOX = { left: 70, right: 625, top: 30, bottom: 365 };
  const LOSS_BOX = { left: 70, right: 625, top: 30, bottom: 265 };

  /** The next of 1.5, 2, 3, 5, 10, ...: the axis jumps now and then, and does not tremble. */
  function round(value) {
    if (!(value > 1.5)) return 1.5;
    const power = 10 ** Math.floor(Math.log10(value));
    return power * [1.5, 2, 3, 5, 10].find((step) => step * power >= value);
  }

  function drawCurve(epoch) {
    must(candle.predict(epoch - 1));
    const predicted = current.x.map((_, i) => candle.curve(i));
    const finite = predicted.filter(Number.isFinite).map(Math.abs);
    const most = round(Math.max(1.05, ...(finite.length ? [finite.reduce((a, b) => Math.max(a, b), 0)] : [])));
    const at = {
      x: (x) => BOX.left + ((x + Math.PI) / (2 * Math.PI)) * (BOX.right - BOX.left),
      y: (y) => (BOX.top + BOX.bottom) / 2 - (y / most) * ((BOX.bottom - BOX.top) / 2),
    };
    const curve = (ys) => current.x.map((x, i) => [at.x(x), at.y(ys[i])]);
    const svg = $("curve");
    svg.replaceChildren();
    svg.dataset.most = most;
    const xs = [-3, -2, -1, 0, 1, 2, 3].map((x) => [at.x(x), String(x).replace("-", "\u2212")]);
    const ys = [-most, 0, most].map((y) => [at.y(y), short(y).replace("-", "\u2212")]);
    frame(svg, BOX, xs, ys);
    line(svg, curve(current.best), "three", "2 5");
    line(svg, curve(current.y), "one");
    line(svg, curve(predicted), "two", "9 4").id = "y-pred-path";
    legend(svg, [[words["legend.true"], "one", ""], [words["legend.pred"], "two", "9 4"], [words["legend.best"], "three", "2 5"]]);
  }

  function drawLosses() {
    const { losses, done } = current;
    const levels = [candle.aim(1), candle.aim(0)];
    const seen = [...losses, ...levels].filter((loss) => Number.isFinite(loss) && loss > 0);
    const low = Math.floor(Math.log10(seen.reduce((a, b) => Math.min(a, b))));
    const high = Math.max(low + 1, Math.ceil(Math.log10(seen.reduce((a, b) => Math.max(a, b)))));
    const x = (epoch) => LOSS_BOX.left + ((epoch - 1) / Math.max(1, done - 1)) * (LOSS_BOX.right - LOSS_BOX.left);
    const y = (loss) =>
      LOSS_BOX.bottom - ((Math.log10(loss) - low) / (high - low)) * (LOSS_BOX.bottom - LOSS_BOX.top);
    current.lossX = x;
    const svg = $("loss-curve");
    svg.replaceChildren();
    const stride = Math.ceil((high - low) / 6);
    const ys = [];
    for (let power = low; power <= high; power += stride) ys.push([y(10 ** power), short(10 ** power)]);
    const xs = [0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(1 + part * (done - 1))).map((e) => [x(e), String(e)]);
    frame(svg, LOSS_BOX, xs, ys);
    for (const [i, level] of levels.entries()) {
      line(svg, [[LOSS_BOX.left, y(level)], [LOSS_BOX.right, y(level)]], i ? "three" : "two", i ? "2 5" : "9 4");
    }
    line(svg, losses.map((loss, i) => [x(i + 1), loss > 0 ? y(loss) : NaN]), "one");
    add(svg, "line", { id: "now", y1: LOSS_BOX.top, y2: LOSS_BOX.bottom, stroke: "currentColor", "stroke-width": 2 });
    legend(svg, [[words.loss.split(" (")[0], "one", ""], [words["legend.flat"], "two", "9 4"], [words["legend.best"], "three", "2 5"]]);
  }

  /** All that belongs to the epoch under the slider. */
  function look() {
    const epoch = Number($("epoch").value);
    const now = current.lossX(epoch);
    $("epoch-shown").textContent = epoch;
    $("epoch").setAttribute("aria-valuetext", `${epoch}, ${words.table} ${rust(current.losses[epoch - 1])}`);
    $("now").setAttribute("x1", now);
    $("now").setAttribute("x2", now);
    drawCurve(epoch);
    const body = $("at").tBodies[0];
    body.replaceChildren();
    must(candle.check(epoch - 1));
    WEIGHTS.forEach((name, i) => {
      const row = body.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = name;
      row.append(head);
      const cells = [candle.weight(epoch - 1, i), candle.checked(0, i), candle.checked(1, i), candle.checked(2, i)];
      for (const value of cells) {
        const cell = row.insertCell();
        cell.dataset.value = rust(value);
        cell.textContent = Number.isFinite(value) ? String(Number(value.toPrecision(9))) : rust(value);
      }
    });
  }

  // The whole run in eight seconds.
  let playing = 0;
  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    $("playing").textContent = words.play;
  }
  function play() {
    const { done } = current;
    const from = Number($("epoch").value) >= done ? 1 : Number($("epoch").value);
    const begun = performance.now();
    $("playing").textContent = words.pause;
    const step = (time) => {
      const epoch = Math.min(done, from + Math.floor(((time - begun) / 8000) * done));
      $("epoch").value = String(Math.max(1, epoch));
      look();
      if (epoch >= done) stop();
      else playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
  }

  function preset(name) {
    for (const [id, value] of Object.entries({ ...START, ...PRESETS[name] })) $(id).value = value;
    $("rate-slider").value = String(Math.log10(Number($("rate").value)));
    draw();
    run();
  }

  function listen() {
    $("settings").addEventListener("submit", (event) => {
      event.preventDefault();
      run();
    });
    $("rate-slider").addEventListener("input", () => {
      $("rate").value = String(Number((10 ** Number($("rate-slider").value)).toPrecision(3)));
    });
    $("rate").addEventListener("input", () => {
      const rate = Number($("rate").value);
      if (rate > 0) $("rate-slider").value = String(Math.log10(rate));
    });
    const redraw = () => {
      try {
        draw();
        if (current) run();
      } catch (error) {
        $("status").textContent = error.message;
      }
    };
    for (const id of ["seed", "draw"]) $(id).addEventListener("change", redraw);
    $("redraw").addEventListener("click", redraw);
    // After a first run a change shows its effect at once.
    const others = ["rate", "rate-slider", "epochs", "points", "function", "rung", "dtype", "w0", "w1", "w2", "w3"];
    for (const id of others) $(id).addEventListener("change", () => current && run());
    for (const button of document.querySelectorAll("[data-preset]")) {
      button.addEventListener("click", () => preset(button.dataset.preset));
    }
    $("epoch").addEventListener("input", () => {
      stop();
      look();
    });
    $("playing").addEventListener("click", () => (playing ? stop() : play()));
  }

  load().then(
    () => {
      draw();
      listen();
      $("status").textContent = words.ready;
      root.classList.add("ready");
    },
    (error) => {
      $("status").textContent = `${words.failed} ${error.message}`;
    },
  );
})();
