"use strict";
/* Cells chosen by eye: their strips, their genes by difference and AUC without p-values, and a CSV of them. */
(function (app) {
  const GALLERY = 40;
  const BEST = 15;
  const AT_ONCE = 32;
  const byId = (id) => document.getElementById(id);
  let turn = 0;

  /** Choose cells; ``how`` says what they were chosen on. */
  app.choose = function (rows, how) {
    app.set = new Set(rows);
    app.how = how;
    turn++;
    const none = !rows.length;
    byId("chosen").hidden = none;
    byId("ranked").replaceChildren();
    const counted = rows.filter((row) => app.hasExpression.has(row)).length;
    byId("chosen-note").textContent = `${rows.length} cells (${counted} with expression), ${how}. They were chosen by eye, so that no test of a difference on what they were chosen by would mean anything: none is shown.`;
    byId("rank").hidden = !app.core.genes.names.length;
    app.say(none ? "No cell is in there." : `${rows.length} cells chosen; they are below the scatter.`);
    gallery(rows, turn);
    app.tell("choose");
  };

  async function gallery(rows, current) {
    const box = byId("gallery");
    box.replaceChildren();
    let shown = 0;
    for (const row of rows) {
      if (shown === GALLERY) break;
      const strip = await app.strip(row, await app.fieldOf(row), Math.max(box.clientWidth - 24, 200));
      if (current !== turn) return;
      if (!strip) continue;
      shown++;
      box.append(app.element("figure", {}, app.element("figcaption", {}, app.element("button", { type: "button", text: app.core.ids[row], on: { click: () => app.select(row) } })), strip));
    }
    if (!shown) box.append(app.element("p", { class: "hint", text: "None of them has a film strip." }));
    else if (rows.length > shown) box.append(app.element("p", { class: "hint", text: `The first ${shown} with a film strip.` }));
    box.dataset.done = String(current);
  }

  /** Return the difference of means and the AUC of one gene, from how often each level occurs in and out of the set. */
  app.compareLevels = function (levels, isIn) {
    const counts = new Uint32Array(512);
    for (let i = 0; i < levels.length; i++) counts[levels[i] + 256 * isIn[i]]++;
    const outside = counts.subarray(0, 256), inside = counts.subarray(256);
    let n = 0, m = 0, sumIn = 0, sumOut = 0, wins = 0;
    for (let v = 0; v < 256; v++) {
      wins += inside[v] * (m + outside[v] / 2);
      n += inside[v]; m += outside[v];
      sumIn += v * inside[v]; sumOut += v * outside[v];
    }
    return { difference: sumIn / n - sumOut / m, auc: wins / (n * m) };
  };

  /** Rank all genes of the set against the other cells; reads every chunk of genes once. */
  app.rank = async function () {
    const { genes } = app.core;
    const isIn = Uint8Array.from(genes.cells, (row) => app.set.has(row) ? 1 : 0);
    const inside = isIn.reduce((sum, one) => sum + one, 0);
    if (!inside || inside === isIn.length) { byId("ranked").replaceChildren(app.element("p", { text: "Genes cannot be ranked: cells with expression must be both in the set and outside it." })); return; }
    const current = turn, found = [];
    const chunks = Math.ceil(genes.names.length / genes.each);
    for (let first = 0; first < chunks; first += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, chunks - first) }, (_, i) => first + i);
      await Promise.all(some.map(async (chunk) => {
        for (let place = chunk * genes.each; place < Math.min((chunk + 1) * genes.each, genes.names.length); place++) {
          const { difference, auc } = app.compareLevels(await app.levels(place), isIn);
          found.push({ name: genes.names[place], difference: difference * genes.highest[place] / 255, auc });
        }
      }));
      if (current !== turn) return;
    }
    found.sort((a, b) => Math.abs(b.auc - 0.5) - Math.abs(a.auc - 0.5) || a.name.localeCompare(b.name));
    const list = app.element("table", {}, app.element("caption", { text: `Genes that differ most between ${inside} chosen cells and ${isIn.length - inside} others, by AUC. Cells chosen by eye: no p-values.` }));
    list.append(app.element("tr", {}, ...["gene", "difference of means (log)", "AUC"].map((text) => app.element("th", { scope: "col", text }))));
    for (const { name, difference, auc } of found.slice(0, BEST)) {
      const show = app.element("button", { type: "button", text: name, on: { click: () => app.colourBy(`g:${name}`) } });
      list.append(app.element("tr", {}, app.element("th", { scope: "row" }, show), app.element("td", { class: "number", text: app.number(difference) }), app.element("td", { class: "number", text: auc.toFixed(2) })));
    }
    byId("ranked").replaceChildren(list);
  };

  /** Return a value as a field of a CSV file that no spreadsheet takes for a formula. */
  function field(value) {
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  /** Return the set as CSV: cell, sample, field of view, barcode, name of the set, and what it was chosen on. */
  app.asCsv = function (name) {
    const { core } = app;
    const lines = [...app.set].map((row) => {
      const [sample, fov] = core.field[row] < 0 ? ["", ""] : core.fields[core.field[row]];
      return [core.ids[row], sample, fov, core.barcodes[row], name, app.how].map(field).join(",");
    });
    return ["track_id,sample,fov,barcode,set,chosen_on", ...lines].join("\n") + "\n";
  };

  function download() {
    const name = byId("set-name").value || "chosen";
    const address = URL.createObjectURL(new Blob([app.asCsv(name)], { type: "text/csv" }));
    const link = app.element("a", { href: address, download: `${name.replace(/[^\w-]+/g, "_")}.csv` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  byId("save").addEventListener("click", download);
  byId("rank").addEventListener("click", () => app.rank().catch((error) => app.say(error.message)));
  byId("clear").addEventListener("click", () => app.choose([], ""));
})(window.cineseq);
