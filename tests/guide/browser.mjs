// The guide as a reader meets it, in headless Chromium: see tests/guide_browser.rs, which starts this
// with the numbers of the native program.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const root = resolve(import.meta.dirname, "../..");
const { chromium } = createRequire(join(root, "target/guide-node/"))("playwright-core");
const expected = JSON.parse(readFileSync(process.argv[2], "utf8"));
const guide = join(root, "assets/guide");
const address = (file) => pathToFileURL(join(guide, file)).href;
const PAGES = ["index.html", "en.html"];
const POST = [
  "7937.68505859375", "3586.100830078125", "2924.1728515625", "2384.926025390625", "1945.4404296875",
  "1587.2352294921875", "1295.25390625", "1057.2337646484375", "863.1865234375", "704.974853515625",
];
const LONG = { timeout: 120_000 };

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
const tests = [];
const test = (name, work) => tests.push({ name, work });

/** Opens a page whose requests and errors are kept. */
async function open(url, options = {}) {
  // Whoever wants less motion sees the end of the training at once.
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.requests = [];
  page.errors = [];
  page.on("request", (request) => page.requests.push(request.url()));
  page.on("pageerror", (error) => page.errors.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.errors.push(message.text());
  });
  await page.goto(url);
  if (options.javaScriptEnabled !== false) await page.waitForSelector("html.ready", LONG);
  return page;
}

async function run(page) {
  await page.click("#run");
  await finished(page);
}

/** Until the status says how the run ended. */
async function finished(page) {
  await page.waitForFunction(
    () => {
      const words = JSON.parse(document.getElementById("words").textContent);
      return ![words.running, words.loading].includes(document.getElementById("status").textContent);
    },
    undefined,
    LONG,
  );
}

/** Moves a slider, as a hand does. */
const slide = (page, selector, value) =>
  page.$eval(selector, (slider, to) => {
    slider.value = to;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }, String(value));

/** The places of 1e-6 and so on on the slider of the learning rate. */
const RATE = { "1e-6": 90, "6e-6": 140, "7.2e-6": 152, "1e-5": 180 };

const cells = (page, selector) => page.$$eval(selector, (all) => all.map((cell) => cell.textContent));

for (const file of PAGES) {
  test(`${file}: no request leaves it, nothing on the console, from a file`, async () => {
    const page = await open(address(file));
    await run(page);
    const folder = pathToFileURL(guide).href;
    for (const url of page.requests) assert.ok(url.startsWith(folder) || url.startsWith("data:"), url);
    assert.equal(page.requests.filter((url) => url.startsWith("file:")).length, 2);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test(`${file}: run prints the post's ten lines, within a second`, async () => {
    const page = await open(address(file));
    await run(page);
    assert.deepEqual(await cells(page, "#losses tbody td:nth-child(2)"), POST);
    assert.deepEqual(await cells(page, "#losses tbody td:nth-child(3)"), POST);
    const words = JSON.parse(await page.textContent("#words"));
    assert.ok((await page.textContent("#status")).includes(words.same));
    // The second run, as a reader's: the first one compiles.
    const begun = Date.now();
    await run(page);
    const ms = Number(/\d+ ms/.exec(await page.textContent("#status"))[0].split(" ")[0]);
    console.log(`    1000 epochs: ${ms} ms of candle, ${Date.now() - begun} ms with all else`);
    assert.ok(ms < 1000, `${ms} ms`);
    await page.context().close();
  });

  test(`${file}: training is seen from the first moment, on the first screen`, async () => {
    for (const [viewport, wanted] of [
      [{ width: 1440, height: 900 }, ["#run", "#rate", ".limit", "#curve", "#loss-curve", "#epoch", "#status"]],
      [{ width: 390, height: 844 }, ["#run", "#rate", ".limit", "#curve", "#loss-curve"]],
    ]) {
      const page = await open(address(file), { viewport, reducedMotion: "no-preference" });
      const seen = async () => [await page.getAttribute("#y-pred-path", "d"), parseInt(await page.textContent("#epoch-shown"), 10)];
      await page.waitForSelector("#y-pred-path", { ...LONG, state: "attached" });
      const moments = [await seen()];
      for (let i = 0; i < 3; i++) {
        await page.waitForTimeout(700);
        moments.push(await seen());
      }
      for (let i = 1; i < moments.length; i++) {
        assert.ok(moments[i][1] > moments[i - 1][1], String(moments.map(([, epoch]) => epoch)));
        assert.notEqual(moments[i][0], moments[i - 1][0]);
      }
      // All of the first screen is on it.
      for (const selector of wanted) {
        const { y, height } = await page.locator(selector).boundingBox();
        assert.ok(y >= 0 && y + height <= viewport.height, `${selector}: ${y} + ${height}`);
      }
      await finished(page);
      assert.equal((await seen())[1], 1000);
      await page.context().close();
    }
  });

  test(`${file}: pause, one epoch, and on to the end`, async () => {
    const page = await open(address(file), { reducedMotion: "no-preference" });
    await page.waitForFunction(() => parseInt(document.getElementById("epoch-shown").textContent, 10) > 3, undefined, LONG);
    await page.click("#run");
    const [epoch] = (await page.textContent("#epoch-shown")).split(" ").map(Number);
    assert.ok(epoch < 1000);
    await page.click("#step");
    assert.equal(await page.textContent("#epoch-shown"), `${epoch + 1} / 1000`);
    await page.click("#run");
    await finished(page);
    await page.waitForFunction(() => document.getElementById("epoch-shown").textContent === "1000 / 1000", undefined, LONG);
    assert.deepEqual(await cells(page, "#losses tbody td:nth-child(2)"), POST);
    // From the end a step begins anew.
    await page.click("#step");
    assert.equal(await page.textContent("#epoch-shown"), "1 / 1000");
    await page.context().close();
  });

  test(`${file}: the sliders go to the native program's numbers`, async () => {
    const page = await open(address(file));
    const before = await page.getAttribute("#y-pred-path", "d");
    await slide(page, "#rate", RATE["6e-6"]);
    assert.equal(await page.textContent("#rate-shown"), "6e-6");
    await page.click("#numbers > summary");
    await slide(page, "#epoch", 500);
    const after = await page.getAttribute("#y-pred-path", "d");
    assert.notEqual(before, after);
    await page.waitForSelector("#at td", LONG);
    const native = expected.quick;
    const values = await page.$$eval("#at td", (all) => all.map((cell) => Number(cell.dataset.value)));
    native.at.forEach((weight, i) => {
      assert.ok(Math.abs(values[4 * i] - weight) <= 2e-6, `${values[4 * i]} ${weight}`);
      for (let way = 0; way < 3; way++) {
        const [shown, theirs] = [values[4 * i + 1 + way], native.checked[way][i]];
        assert.ok(Math.abs(shown - theirs) <= 0.05, `${shown} ${theirs}`);
      }
    });
    // The curve on the screen, of every third point, back in the units of y.
    const most = Number(await page.getAttribute("#curve", "data-most"));
    const heights = after.split(/[ML]/).slice(1).map((point) => Number(point.split(" ")[1]));
    native.curve.forEach((y, i) => {
      const shown = ((145 - heights[37 * i]) / 131) * most;
      assert.ok(Math.abs(shown - y) < 1e-4 * most, `${shown} ${y}`);
    });
    assert.equal(await page.textContent("#epoch-shown"), "500 / 1000");
    await page.context().close();
  });

  test(`${file}: past the largest stable rate the loss grows, and at 1e-5 it is said in words`, async () => {
    const page = await open(address(file));
    const words = JSON.parse(await page.textContent("#words"));
    const path = () => page.getAttribute("#loss-path", "d");
    const before = await path();
    await slide(page, "#rate", RATE["7.2e-6"]);
    assert.notEqual(await path(), before);
    assert.ok((await page.textContent("#status")).startsWith(words.growing.split("{")[0]));
    assert.ok((await page.textContent("#curve")).includes(words.lost.replace("{name}", "y pred")));
    await slide(page, "#rate", RATE["1e-5"]);
    assert.ok((await page.textContent("#status")).startsWith(words.diverged.split("{")[0]));
    assert.equal((await cells(page, "#losses tbody td:nth-child(2)")).at(-1), words.nan);
    assert.equal(await page.textContent("#loss-shown"), words.nan);
    // The mark stands where the slider's thumb is at the limit.
    const [mark, track] = [await page.locator(".limit").boundingBox(), await page.locator("#rate").boundingBox()];
    const at = (mark.x + mark.width / 2 - track.x - 8) / (track.width - 16);
    assert.ok(Math.abs(at * 180 - (90 + 60.9)) < 1, `${at * 180}`);
    await slide(page, "#rate", RATE["1e-6"]);
    assert.ok((await page.textContent("#status")).includes(words.same));
    await page.locator("#settings").evaluate((form) => (form.parentElement.open = true));
    await page.selectOption("#function", "1");
    assert.ok(!(await page.textContent("#status")).includes(words.same));
    await page.fill("#epochs", "many");
    await page.press("#epochs", "Enter");
    await page.click("#step");
    assert.equal(await page.getAttribute("#epochs", "aria-invalid"), "true");
    assert.ok((await page.textContent("#status")).includes(words.invalid.split("{most}")[1]));
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test(`${file}: pairs and names light up`, async () => {
    const page = await open(address(file));
    const line = page.locator("#gradient-2 .python .line");
    const partner = page.locator("#gradient-2 .rust");
    const background = (element) => element.evaluate((e) => getComputedStyle(e).backgroundColor);
    const plain = await background(partner);
    await line.hover();
    assert.notEqual(await background(partner), plain);
    await page.mouse.move(0, 0);
    assert.equal(await background(partner), plain);
    await page.click('[data-mark="grad_a"]');
    const marked = await page.$$eval("i.marked", (all) => all.map((e) => e.textContent));
    assert.ok(marked.length >= 8 && marked.every((name) => name === "grad_a"), String(marked));
    await page.click('[data-mark="grad_a"]');
    await page.mouse.move(0, 0);
    assert.equal(await page.locator("i.marked").count(), 0);
    await page.context().close();
  });

  test(`${file}: the keyboard reaches every control and works it`, async () => {
    const page = await open(address(file));
    await run(page);
    const wanted = await page.evaluate(() => {
      const all = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")];
      const seen = all.filter((e) => e.checkVisibility({ contentVisibilityAuto: true }) && !e.closest("details:not([open]) > :not(summary)"));
      seen.forEach((e, i) => (e.dataset.test = i));
      return seen.length;
    });
    await page.evaluate(() => document.activeElement.blur());
    // The button that trains comes first: after the links to the text, to the other language, and to the post.
    for (let i = 0; i < 4; i++) await page.keyboard.press("Tab");
    assert.ok(["play", "run"].includes(await page.evaluate(() => document.activeElement.closest("#play, #run")?.id)));
    await page.evaluate(() => document.activeElement.blur());
    const reached = new Set();
    for (let i = 0; i < wanted + 30 && reached.size < wanted; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => document.activeElement?.dataset?.test);
      if (at !== undefined) reached.add(at);
    }
    const missed = await page.$$eval("[data-test]", (all) => all.map((e) => [e.dataset.test, e.outerHTML.slice(0, 80)]));
    assert.deepEqual(missed.filter(([i]) => !reached.has(i)), []);
    await page.focus("#epoch");
    await page.keyboard.press("Home");
    assert.equal(await page.textContent("#epoch-shown"), "1 / 1000");
    await page.focus("#rate");
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.textContent("#rate-shown"), "1.1e-6");
    await page.focus("#run");
    await page.keyboard.press("Enter");
    assert.equal(await page.textContent("#epoch-shown"), "1000 / 1000");
    await page.focus('article summary');
    await page.keyboard.press("Enter");
    assert.ok(await page.locator("article details").first().evaluate((e) => e.open));
    await page.context().close();
  });

  test(`${file}: nothing in the accessibility tree is nameless`, async () => {
    const page = await open(address(file));
    await run(page);
    const session = await page.context().newCDPSession(page);
    const { nodes } = await session.send("Accessibility.getFullAXTree");
    const roles = "button link textbox slider combobox checkbox radio spinbutton image figure navigation form table group region DisclosureTriangle".split(" ");
    const named = nodes.filter((node) => !node.ignored && roles.includes(node.role?.value));
    assert.ok(named.length > 150, `${named.length}`);
    const allowed = ["figure", "table", "group"]; // a caption or the content says what they are
    const nameless = named.filter((node) => !node.name?.value?.trim() && !allowed.includes(node.role.value));
    assert.deepEqual(nameless.map((node) => node.role.value), []);
    for (const landmark of ["main", "navigation", "contentinfo", "banner"]) {
      assert.ok(nodes.some((node) => node.role?.value === landmark), landmark);
    }
    await page.context().close();
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`${file}: enough contrast, ${colorScheme}`, async () => {
      const page = await open(address(file), { colorScheme });
      await run(page);
      await page.$$eval("details", (all) => all.forEach((e) => (e.removeAttribute("name"), (e.open = true))));
      const poor = await page.evaluate(contrast);
      assert.deepEqual(poor, []);
      await page.context().close();
    });
  }

  for (const width of [390, 1440]) {
    test(`${file}: nothing is cut at ${width} pixels`, async () => {
      const page = await open(address(file), { viewport: { width, height: 844 } });
      await page.$$eval("details", (all) => all.forEach((e) => (e.removeAttribute("name"), (e.open = true))));
      await page.waitForTimeout(200);
      assert.deepEqual(await page.evaluate(cut), []);
      await page.context().close();
    });
  }

  test(`${file}: on paper`, async () => {
    // A4 within Chromium's margins.
    const page = await open(address(file), { viewport: { width: 718, height: 1046 } });
    const pdf = (await page.pdf({ format: "A4" })).toString("latin1");
    const pages = pdf.match(/\/Type\s*\/Page\b/g).length;
    console.log(`    ${pages} pages`);
    assert.ok(pages < 40, `${pages} pages`);
    await page.emulateMedia({ media: "print" });
    await page.$$eval("details", (all) => all.forEach((e) => (e.removeAttribute("name"), (e.open = true))));
    assert.deepEqual(await page.evaluate(cut), []);
    for (const side of await page.locator(".side").all()) assert.ok((await side.boundingBox()).width > 250);
    const [python, rust] = [await page.locator("#gradient-2 .python").boundingBox(), await page.locator("#gradient-2 .rust").boundingBox()];
    assert.ok(python.y === rust.y && python.x + python.width <= rust.x);
    assert.ok(await page.locator("#curve").isVisible());
    assert.equal(await page.locator("#run, nav").first().isVisible(), false);
    await page.context().close();
  });

  test(`${file}: all of it can be read without JavaScript`, async () => {
    const page = await open(address(file), { javaScriptEnabled: false });
    assert.ok(await page.locator("noscript p, .notice").first().isVisible());
    assert.equal(await page.locator("#run").isVisible(), false);
    assert.equal(await page.locator(".still svg").count(), 2);
    assert.ok(await page.locator(".still svg").first().isVisible());
    for (const id of ["setup-1", "graph", "chain-3", "table", "bowl", "ladder-autograd", "try-mean"]) {
      assert.ok(await page.locator(`#${id}`).isVisible(), id);
    }
    await page.locator("#ladder-optimizer > summary").click();
    assert.ok(await page.locator("#ladder-optimizer .diff").isVisible());
    await page.context().close();
  });
}

test("both languages are complete", async () => {
  const texts = [];
  for (const file of PAGES) {
    const page = await open(address(file));
    const found = await page.evaluate(() => ({
      ids: [...document.querySelectorAll("[id]")].map((e) => e.id),
      // Code and output, names of books and posts, and the other language's link aside.
      prose: [...document.querySelectorAll("h1, h2, h3, h4, p, li, caption, th, label, legend, summary, button, option, figcaption")]
        .map((e) => {
          const copy = e.cloneNode(true);
          copy.querySelectorAll("code, .line, pre, math, a[href*='dongdongju']").forEach((c) => c.remove());
          return copy.textContent.replace(/『[^』]*』/g, "").trim();
        })
        .filter(Boolean),
    }));
    texts.push(found);
    await page.context().close();
  }
  assert.deepEqual(texts[0].ids, texts[1].ids);
  const hangul = /[\uac00-\ud7a3]/;
  assert.deepEqual(texts[1].prose.filter((text) => hangul.test(text)), []);
  // In Korean every sentence is Korean; a lone name or formula may be Latin.
  const foreign = texts[0].prose.filter((text) => !hangul.test(text) && /[a-z]{3,} [a-z]{3,} [a-z]{2,}/i.test(text));
  assert.deepEqual(foreign, []);
  assert.equal(texts[0].prose.length, texts[1].prose.length);
});

test("the language is remembered, and an address keeps its own", async () => {
  const page = await open(address("index.html") + "#loss");
  assert.equal(await page.getAttribute("html", "lang"), "ko");
  await page.click("#language");
  await page.waitForSelector("html[lang=en].ready", LONG);
  assert.ok(page.url().endsWith("en.html#loss"), page.url());
  await page.goto(address("index.html"));
  await page.waitForSelector("html[lang=en].ready", LONG);
  await page.goto(address("index.html") + "?lang=ko");
  await page.waitForSelector("html[lang=ko].ready", LONG);
  await page.context().close();
});

test("from a web server all requests go to it", async () => {
  const types = { html: "text/html", js: "text/javascript" };
  const server = createServer((request, response) => {
    const file = new URL(request.url, "http://localhost").pathname.slice(1);
    response.setHeader("content-type", types[file.split(".").pop()]);
    response.end(readFileSync(join(guide, file)));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const origin = `http://127.0.0.1:${server.address().port}/`;
  const page = await open(`${origin}en.html`);
  await run(page);
  for (const url of page.requests) assert.ok(url.startsWith(origin) || url.startsWith("data:"), url);
  assert.deepEqual(page.errors, []);
  await page.context().close();
  server.close();
});

test("sin and powers in the browser, within a unit in the last place", async () => {
  const page = await open(address("en.html"));
  for (const native of expected.library) {
    const theirs = await page.evaluate((double) => {
      const { candle } = window.guide;
      const all = (read) => Array.from({ length: 1000 }, (_, i) => read(i));
      const curve = (a, b) => {
        candle.begin(1000, 0, double, 0, 0, a, b, 0, 0);
        candle.advance(1);
        candle.predict(0);
        return all(candle.curve);
      };
      return { cube: curve(1, 0), square: curve(0, 1), sin: all(candle.y) };
    }, native.double);
    const said = ["sin", "cube", "square"].map((name) => {
      const ulps = native[name].map((v, i) => ulp(v, theirs[name][i], native.double));
      assert.ok(Math.max(...ulps) <= 1, `${name}: ${Math.max(...ulps)}`);
      return `${name} at ${ulps.filter(Boolean).length}`;
    });
    console.log(`    ${native.double ? "f64" : "f32"}: one unit in the last place apart: ${said.join(", ")} of 1000 points`);
  }
  await page.context().close();
});

/** How many numbers of the type lie between two: neighbours are 1 apart. */
function ulp(a, b, double) {
  const bits = double
    ? (v) => new BigInt64Array(new Float64Array([v]).buffer)[0]
    : (v) => BigInt(new Int32Array(new Float32Array([v]).buffer)[0]);
  const distance = bits(a) - bits(b);
  return Number(distance < 0n ? -distance : distance);
}

test("candle in the browser against the native program", async () => {
  const page = await open(address("en.html"));
  const theirs = await page.evaluate(async (runs) => {
    const { candle } = window.guide;
    const four = [0, 1, 2, 3];
    return runs.map((run) => {
      candle.draw(run.seed, run.draw);
      const drawn = four.map((i) => candle.drawn(i));
      candle.begin(1000, run.function, run.double, run.rung, run.rate, ...drawn);
      candle.advance(1000);
      return {
        drawn,
        losses: Array.from({ length: 10 }, (_, i) => candle.loss(100 * i)),
        weights: four.map((i) => candle.weight(999, i)),
        gradients: four.map((i) => candle.gradient(0, i)),
      };
    });
  }, expected.runs);
  const names = ["by hand", "autograd", "optimizer", "custom op", "normal"];
  const report = new Map();
  expected.runs.forEach((native, k) => {
    assert.deepEqual(theirs[k].drawn, native.drawn, "torch.manual_seed in the browser");
    const key = `${names[native.rung]}, ${native.double ? "f64" : "f32"}`;
    const row = report.get(key) ?? { runs: 0, same: 0, losses: 0, loss: 0, weight: 0 };
    const apart = (a, b) => Math.abs(a - b) / Math.abs(b);
    const losses = native.losses.map((loss, i) => apart(theirs[k].losses[i], loss));
    const weights = native.weights.map((w, i) => Math.abs(theirs[k].weights[i] - w));
    row.runs += 1;
    row.losses += losses.filter((difference) => difference === 0).length;
    row.same += losses.every((difference) => difference === 0) ? 1 : 0;
    row.loss = Math.max(row.loss, ...losses);
    row.weight = Math.max(row.weight, ...weights);
    report.set(key, row);
    // Rounding of another libm, and of sums that candle adds in another order where it has no AVX.
    const bound = native.double ? 1e-12 : 1e-6; // The page says so.
    assert.ok(row.loss <= bound, `${key}: ${row.loss}`);
  });
  for (const [key, row] of report) {
    console.log(`    ${key}: ${row.losses} of ${10 * row.runs} losses bit for bit, the rest within ${row.loss.toExponential(1)}; weights within ${row.weight.toExponential(1)}`);
  }
  assert.deepEqual(theirs[0].losses.map(String), POST);
  await page.context().close();
});

/** What does not fit: text outside of the page, or in a box that is too narrow for it and does not show that it scrolls. */
function cut() {
  const all = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.closest(".visually-hidden, .skip, svg > *"));
  const wide = all.filter((e) => e.getBoundingClientRect().right > innerWidth + 1);
  const narrow = all.filter((e) => !e.closest("svg, .output.table") && getComputedStyle(e).display !== "inline" && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0);
  return [...new Set([...wide, ...narrow])].map((e) => `${e.tagName} ${e.className?.baseVal ?? e.className}: ${e.textContent.trim().slice(0, 40)}`);
}

/** Texts whose contrast is too low, in the page. */
function contrast() {
  const parse = (color) => {
    const canvas = (window.probe ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true }));
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const behind = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [1, 1, 1, 1]);
  };
  const opacity = (e) => (e ? Number(getComputedStyle(e).opacity) * opacity(e.parentElement) : 1);
  const light = ([r, g, b]) => {
    const part = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !e.checkVisibility() || e.closest(".plot, script, style, noscript, .visually-hidden, .skip")) continue;
    const style = getComputedStyle(e);
    const back = behind(e);
    const color = parse(e.closest("svg") ? style.fill : style.color);
    color[3] *= opacity(e);
    const [one, two] = [light(over(color, back)), light(back)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) poor.add(`${ratio.toFixed(2)} ${e.tagName}.${e.className?.baseVal ?? e.className} ${walker.currentNode.textContent.trim().slice(0, 30)}`);
  }
  return [...poor];
}

let failed = 0;
const only = process.env.ONLY ?? "";
for (const { name, work } of tests.filter(({ name }) => name.includes(only))) {
  try {
    await work();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
