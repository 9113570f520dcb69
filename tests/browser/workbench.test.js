// JupyterLab with the kernel Go (nami), and the documentation, in a real browser: what a
// scientist does in the first quarter of an hour. It needs Chromium ($CHROMIUM, or
// /usr/bin/chromium). Pictures of what was seen go to build/browser.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test as step } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));
const seen = path.join(root, "build/browser");
const work = mkdtempSync(path.join(tmpdir(), "nami-browser-"));
const kernel = path.join(work, "kernel");
const minute = 60_000;

let browser, lab, page;

// In JupyterLab each test stands on what the ones before it did: after one that failed the
// rest is skipped, and the picture failed.png shows what there was.
let failed = false;
function test(name, { minutes }, does) {
  step(name, { timeout: minutes * minute }, async (t) => {
    if (failed) return t.skip("an earlier one failed");
    failed = true;
    try {
      await does(t);
      failed = false;
    } finally {
      if (failed) await shot("failed").catch(() => {}); // the page may be gone
    }
  });
}

before(async () => {
  rmSync(seen, { recursive: true, force: true });
  mkdirSync(seen, { recursive: true });
  for (const folder of ["books", "profile", "state"]) mkdirSync(path.join(work, folder));
  for (const [plugin, settings] of Object.entries({
    "notebook-extension/tracker": { windowingMode: "none" }, // cells out of sight are in the page, too
    "apputils-extension/notification": { fetchNews: "false", checkForUpdates: false },
  })) {
    const file = path.join(work, "settings/@jupyterlab", plugin + ".jupyterlab-settings");
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(settings));
  }
  const quickstart = JSON.parse(readFileSync(path.join(root, "books/examples/quickstart.ipynb"), "utf8"));
  for (const cell of quickstart.cells) {
    if (cell.cell_type === "code") Object.assign(cell, { outputs: [], execution_count: null });
  }
  writeFileSync(path.join(work, "books/quickstart.ipynb"), JSON.stringify(quickstart));
  copyFileSync(path.join(root, "kernel/testdata/ok.ipynb"), path.join(work, "books/ok.ipynb"));

  const built = spawnSync("go", ["build", "-o", kernel, "./kernel"], { cwd: root, encoding: "utf8" });
  assert.equal(built.status, 0, built.stderr);

  browser = await chromium.launchPersistentContext(path.join(work, "profile"), {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    viewport: { width: 1400, height: 1000 },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  page = browser.pages()[0] ?? (await browser.newPage());
  page.setDefaultTimeout(minute);
});

after(async () => {
  await browser?.close();
  if (lab && lab.exitCode === null) {
    const ended = new Promise((resolve) => lab.once("exit", resolve));
    lab.kill("SIGINT");
    await ended;
  }
  rmSync(work, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

// startLab starts JupyterLab by our command, and returns its address.
async function startLab() {
  const options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", `--port=${await freePort()}`, "--expose-app-in-browser", "--IdentityProvider.token=test"];
  lab = spawn(kernel, ["lab", path.join(work, "books"), "--", ...options], {
    cwd: root,
    env: { ...process.env, NAMI_STATE: path.join(work, "state"), JUPYTERLAB_SETTINGS_DIR: path.join(work, "settings"), JUPYTERLAB_WORKSPACES_DIR: path.join(work, "workspaces") },
  });
  let said = "";
  return new Promise((resolve, reject) => {
    const hear = (data) => {
      said += data;
      const found = said.match(/(http:\/\/127\.0\.0\.1:\d+\/lab)\S*token=/);
      if (found) resolve(found[1] + "?token=test");
    };
    lab.stdout.on("data", hear);
    lab.stderr.on("data", hear);
    lab.once("exit", () => reject(new Error(`JupyterLab ended:\n${said}`)));
  });
}

const shot = (name) => page.screenshot({ path: path.join(seen, name + ".png") });

// The notebook that is in front.
const panel = () => page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)");

// state is what the notebook's model says: of each code cell, its count and outputs.
const state = () =>
  page.evaluate(() => {
    const { content, sessionContext } = window.jupyterapp.shell.currentWidget;
    const cells = content.widgets.filter((w) => w.model.type === "code");
    return {
      status: sessionContext.kernelDisplayStatus,
      connected: sessionContext.session?.kernel?.connectionStatus === "connected",
      kernel: sessionContext.kernelDisplayName,
      cells: cells.map((w) => ({ count: w.model.executionCount, outputs: w.model.outputs.toJSON() })),
    };
  });

// settled waits until the kernel is connected, at rest, and no cell is waiting. GoNB says
// nothing of its state before the first cell.
async function settled(timeout = minute) {
  const end = Date.now() + timeout;
  for (let quiet = 0; quiet < 3; await page.waitForTimeout(150)) {
    const now = await state();
    const idle = now.connected && ["idle", "unknown"].includes(now.status) && !(await panel().locator(".jp-InputPrompt", { hasText: "[*]" }).count());
    quiet = idle ? quiet + 1 : 0;
    assert.ok(Date.now() < end, `the kernel is ${now.status} after ${timeout / 1000} s`);
  }
  return state();
}

// fill writes the code of the last cell, and leaves the cursor at its end.
async function fill(code) {
  const editor = panel().locator(".jp-Notebook .jp-CodeCell .cm-content").last();
  await editor.click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.insertText(code);
  return editor;
}

// run executes the last cell and returns its outputs; a new cell follows it.
async function run(code) {
  await fill(code);
  const before = (await state()).cells.length;
  await page.keyboard.press("Shift+Enter");
  const now = await settled();
  assert.equal(now.cells.length, before + 1, "a cell was added");
  return now.cells[before - 1].outputs;
}

const texts = (outputs) => outputs.map((o) => [].concat(o.text ?? o.data?.["text/plain"] ?? o.evalue ?? "").join("")).join("");

test("JupyterLab starts, and its launcher offers Go (nami)", { minutes: 10 }, async () => {
  const address = await startLab();
  // It is announced a moment before it answers.
  for (let tries = 60; ; tries--) {
    try {
      await page.goto(address);
      break;
    } catch (error) {
      if (!tries || lab.exitCode !== null || !/ERR_CONNECTION/.test(error.message)) throw error;
      await page.waitForTimeout(500);
    }
  }
  const card = page.locator('.jp-LauncherCard[title^="Go (nami)"]').first();
  await card.waitFor();
  await shot("launcher");
  await card.click();
  await panel().locator(".jp-CodeCell").first().waitFor();
  const now = await settled(2 * minute);
  assert.equal(now.kernel, "Go (nami)");
});

test("a cell runs", { minutes: 5 }, async () => {
  const outputs = await run('import "fmt"\n\nvar answer = 42\n\n%%\nfmt.Println("hello", answer)');
  assert.equal(texts(outputs), "hello 42\n");
});

// once presses keys, once, and waits until it holds.
async function once(keys, holds) {
  await page.keyboard.press(keys);
  const start = Date.now();
  while (!(await holds())) {
    assert.ok(Date.now() < start + minute, `${keys} has no effect`);
    await page.waitForTimeout(50);
  }
  console.log(`${keys} was answered in ${(Date.now() - start) / 1000} s`);
}

test("completion and inspection", { minutes: 5 }, async () => {
  const editor = await fill('import "strings"\n\n%%\nstrings.EqualFo');
  const offered = (name) => page.locator(".jp-Completer-item", { hasText: name });
  await once("Tab", () => offered("EqualFold").isVisible());
  await page.keyboard.press("Enter");
  assert.match(await editor.textContent(), /strings\.EqualFold$/);
  // Several are offered.
  await fill('import "strings"\n\n%%\nstrings.Rep');
  await once("Tab", () => offered("ReplaceAll").isVisible());
  await shot("completion");
  await page.keyboard.press("Escape");
  await fill('import "strings"\n\n%%\nstrings.EqualFold');
  const tooltip = page.locator(".jp-Tooltip");
  await once("Shift+Tab", () => tooltip.isVisible());
  await shot("inspection");
  assert.match(await tooltip.innerText(), /func (strings\.)?EqualFold/);
  await page.keyboard.press("Escape");
});

test("an error is told in one clear line", { minutes: 5 }, async () => {
  const outputs = await run("%%\nfmt.Println(missing)");
  await shot("error");
  const error = panel().locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea");
  const lines = (await error.innerText()).split("\n").filter((line) => line.includes("undefined: missing"));
  assert.equal(lines.length, 1, await error.innerText());
  assert.match(lines[0], /^cell \d+, line 2: /);
  assert.deepEqual(outputs.map((o) => o.output_type), ["error"]);
});

test("a statement without %% is told what to do, and a panic is a line with the rest folded away", { minutes: 5 }, async () => {
  const forgotten = await run("x := 2");
  assert.deepEqual(forgotten.map((o) => o.output_type), ["error"]);
  assert.match(texts(forgotten), /%%/);
  await run('%%\npanic("on purpose")');
  const area = panel().locator(".jp-CodeCell").nth(-2).locator(".jp-OutputArea");
  await shot("panic");
  assert.match(await area.innerText(), /line 2: panic: on purpose|line 2: on purpose/);
  const rest = area.locator("details");
  assert.equal(await rest.count(), 1);
  assert.equal(await rest.evaluate((d) => d.open), false);
});

// slides moves a slider by the keyboard, and says which pictures are to be seen before and
// after.
async function slides(box) {
  const slider = box.locator("input[type=range]");
  const visible = () => box.locator("figure:visible").evaluateAll((figures) => figures.map((f) => f.dataset.choice));
  const before = await visible();
  await slider.focus();
  await slider.press("ArrowRight");
  const after = await visible();
  assert.equal(await box.locator("output").textContent(), after[0]);
  return [before, after];
}

test("a slider shows one picture after the other", { minutes: 5 }, async () => {
  const outputs = await run(`import "github.com/nami-flow/go-nami/plotting"

%%
weights, figures := []float64{0, 0.5, 2}, []plotting.Figure{}
for _, w := range weights {
	figures = append(figures, plotting.Line([]plotting.Series{{Values: []float64{0, w}}}))
}
fmt.Println(plotting.Show(plotting.Slider("w", weights, figures...)))`);
  assert.equal(texts(outputs.filter((o) => o.output_type === "stream")), "<nil>\n");
  const box = panel().locator(".jp-OutputArea div[data-control=range]").last();
  assert.deepEqual(await slides(box), [["0"], ["0.5"]]);
  await shot("slider");
});

test("the kernel restarts, and has forgotten", { minutes: 5 }, async () => {
  await page.evaluate(() => {
    const { statusChanged } = window.jupyterapp.shell.currentWidget.sessionContext;
    window.restarted = new Promise((resolve) => statusChanged.connect((_, status) => status === "restarting" && resolve()));
  });
  await panel().locator('[data-jp-item-name="restart"]').click();
  await page.locator(".jp-Dialog .jp-mod-accept").click();
  await page.evaluate(() => window.restarted);
  await settled();
  assert.match(JSON.stringify(await run('import "fmt"\n\n%%\nfmt.Println(answer)')), /undefined: answer/);
  assert.equal(texts(await run('%%\nfmt.Println("again")')), "again\n");
});

test("quickstart runs, with its pictures", { minutes: 15 }, async () => {
  await page.locator(".jp-DirListing-item", { hasText: "quickstart.ipynb" }).dblclick();
  await page.waitForFunction(() => window.jupyterapp.shell.currentWidget?.title.label === "quickstart.ipynb");
  await panel().locator(".jp-CodeCell").first().waitFor();
  await settled();
  await page.evaluate(async () => {
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
  });
  const now = await settled();
  for (const [i, cell] of now.cells.entries()) {
    assert.ok(cell.count, `cell ${i + 1} ran`);
    assert.ok(!cell.outputs.some((o) => o.output_type === "error"), `cell ${i + 1}: ${texts(cell.outputs)}`);
  }
  const pictures = panel().locator(".jp-OutputArea img");
  assert.ok((await pictures.count()) >= 4, `${await pictures.count()} pictures are in the page`);
  for (const picture of await pictures.all()) {
    await picture.scrollIntoViewIfNeeded();
    const [natural, shown] = await picture.evaluate((node) => [node.naturalWidth, node.getBoundingClientRect().width]);
    assert.ok(natural > 300 && shown > 200 && shown <= natural, `a picture of ${natural} pixels is ${shown} wide`);
  }
  await shot("quickstart");
});

test("pictures are readable in the dark theme", { minutes: 5 }, async () => {
  await page.evaluate(() => window.jupyterapp.commands.execute("apputils:change-theme", { theme: "JupyterLab Dark" }));
  await page.waitForFunction(() => document.body.dataset.jpThemeLight === "false");
  const picture = panel().locator(".jp-OutputArea img").nth(1);
  await picture.scrollIntoViewIfNeeded();
  await page.waitForTimeout(500);
  await shot("quickstart-dark");
  // The darkest and the lightest of what the reader sees must be far apart.
  const range = await picture.evaluate(async (node) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [node.naturalWidth, node.naturalHeight];
    const context = canvas.getContext("2d");
    context.fillStyle = "rgb(17, 17, 17)"; // the theme's
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(node, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let [low, high] = [255, 0];
    for (let i = 0; i < data.length; i += 4) {
      low = Math.min(low, data[i + 1]);
      high = Math.max(high, data[i + 1]);
    }
    return high - low;
  });
  assert.ok(range > 120, `the picture's contrast is ${range} of 255`);
});

test("the documentation's search and themes work without a server", { minutes: 5 }, async () => {
  const out = path.join(work, "docs");
  const built = spawnSync(kernel, ["docs", "--out", out], { cwd: root, encoding: "utf8" });
  assert.equal(built.status, 0, built.stdout + built.stderr);
  const docs = await browser.newPage();
  const elsewhere = [], broken = [];
  docs.on("request", (request) => /^(file|data):/.test(request.url()) || elsewhere.push(request.url()));
  docs.on("pageerror", (error) => broken.push(error.message));
  docs.on("requestfailed", (request) => broken.push(request.url()));
  await docs.goto(pathToFileURL(path.join(out, "gallery.html")).href);
  assert.ok((await docs.locator(".card img").count()) > 0);
  assert.ok(await docs.locator(".card img").first().evaluate((image) => image.decode().then(() => image.naturalWidth > 100)));
  await docs.screenshot({ path: path.join(seen, "docs-gallery.png") });
  await docs.keyboard.press("/");
  await docs.keyboard.type("flowmatching");
  assert.equal(await docs.locator("#results a strong").first().textContent(), "nami.FlowMatching");
  await docs.screenshot({ path: path.join(seen, "docs-search.png") });
  await docs.keyboard.press("Enter");
  await docs.waitForURL(/api\/nami\.html#FlowMatching$/);
  assert.ok(await docs.locator("#FlowMatching").isVisible());
  const ground = () => docs.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await docs.locator("#theme").click();
  assert.notEqual(await ground(), light);
  await docs.screenshot({ path: path.join(seen, "docs-dark.png") });
  await docs.goto(pathToFileURL(path.join(out, "concepts.html")).href);
  assert.ok(await docs.locator("math").first().evaluate((node) => node.getBoundingClientRect().height > 5));
  await docs.screenshot({ path: path.join(seen, "docs-concepts-dark.png") });
  await docs.locator("#search").fill("xyzzy plugh");
  assert.equal(await docs.locator("#results").textContent(), "nothing found");
  await docs.goto(pathToFileURL(path.join(out, "books/tutorials/flow_matching.html")).href);
  const box = docs.locator("div[data-control=range]").first();
  const [before, after] = await slides(box);
  assert.ok(before.length === 1 && after.length === 1 && before[0] !== after[0], `${before}, then ${after}`);
  await box.screenshot({ path: path.join(seen, "docs-slider.png") });
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(broken, []);
  await docs.close();
});
