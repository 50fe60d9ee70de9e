"use strict";
/* The selected cell: facts, film strips of it and its close family, curve, tree, expression, commands. */
(function (app) {
  const byId = (id) => document.getElementById(id);
  const pictures = new Map();
  let turn = 0;

  /** Return the picture of a sprite, loaded once. */
  function sprite(number, sheet) {
    const source = `${document.body.dataset.folder}/strips_${number}_${sheet}.webp`;
    if (!pictures.has(source)) {
      pictures.set(source, new Promise((resolve, reject) => {
        const image = new Image();
        image.onload = () => resolve(image);
        image.onerror = () => reject(new Error(`${source} is not there`));
        image.src = source;
      }));
    }
    return pictures.get(source);
  }

  /** Return the strip of a cell as a canvas, or null if it has none. */
  app.strip = async function (row, field, width) {
    const where = field.strips[row];
    if (!where) return null;
    const [sheet, line, frames] = where;
    const image = await sprite(field.number, sheet);
    const size = field.panel, gap = 2;
    const strip = app.element("canvas", { role: "img", "aria-label": `Film strip of cell ${app.core.ids[row]}, frames ${frames[0]} to ${frames[frames.length - 1]}`, "data-row": row });
    const perLine = Math.max(1, Math.min(frames.length, Math.floor(width / (size + gap))));
    strip.width = perLine * (size + gap);
    strip.height = Math.ceil(frames.length / perLine) * (size + 14);
    const pen = strip.getContext("2d");
    pen.font = "11px sans-serif";
    pen.fillStyle = getComputedStyle(document.body).color;
    frames.forEach((frame, i) => {
      const x = (i % perLine) * (size + gap), y = Math.floor(i / perLine) * (size + 14);
      pen.drawImage(image, i * size, line * size, size, size, x, y, size, size);
      pen.fillText(field.frame_hours ? `${app.number(Number((frame * field.frame_hours).toFixed(1)))} h` : String(frame), x + 2, y + size + 11);
    });
    return strip;
  };

  async function showStrips(box, row, field, current) {
    const made = [];
    const kin = [["Parent", app.core.parent[row]], ["This cell", row], ...app.children[row].map((d) => ["Daughter", d]), ["Sister", app.core.sister[row]]];
    for (const [role, cell] of kin) {
      if (cell < 0) continue;
      const strip = await app.strip(cell, field, Math.max(box.clientWidth, 200));
      if (!strip) { if (cell === row && app.core.field[row] >= 0 && Object.keys(field.strips).length) made.push(app.element("p", { text: "This cell has no film strip: it is above the limit of its field (report.strips)." })); continue; }
      const go = app.element("button", { type: "button", text: `${role}: ${app.core.ids[cell]}`, on: { click: () => app.select(cell) } });
      made.push(app.element("figure", {}, app.element("figcaption", {}, go), strip));
    }
    if (current !== turn) return;
    box.replaceChildren(...made);
    if (!made.length) return;
    const slider = app.element("input", { type: "range", min: 50, max: 400, value: 100, on: { input: (event) => { for (const c of box.querySelectorAll("canvas")) c.style.filter = `contrast(${event.target.value}%)`; } } });
    box.prepend(app.element("h3", { text: "From birth to end" }));
    box.append(app.element("label", { text: "Contrast " }, slider));
    if (field.um_per_panel) {
      const bar = app.element("span", { class: "bar" });
      const length = [50, 20, 10, 5, 2, 1].find((um) => um <= field.um_per_panel / 2) || 1;
      bar.style.width = `${field.panel * length / field.um_per_panel}px`;
      box.append(app.element("span", { class: "scale" }, bar, ` ${length} µm`));
    }
  }

  function showFacts(row) {
    const { core } = app;
    const hours = (frame, h) => frame === null ? "unknown" : `frame ${frame}` + (h === null ? "" : ` (${app.number(h)} h)`);
    const fact = (name, value) => [app.element("dt", { text: name }), app.element("dd", { text: value })];
    const list = app.element("dl");
    if (core.field[row] >= 0) list.append(...fact("Field", core.fields[core.field[row]].join(" / ")));
    if (core.start[row] !== null) list.append(...fact("Seen", `${hours(core.start[row], core.start_hours[row])} to ${hours(core.end[row], core.end_hours[row])}`));
    if (core.end_kind[row] || core.fate[row]) list.append(...fact("End", [core.end_kind[row], core.fate[row] && core.fate[row] !== core.end_kind[row] ? `fate ${core.fate[row]}` : ""].filter(Boolean).join("; ").replaceAll("_", " ")));
    const sister = core.sister[row];
    if (sister >= 0) list.append(...fact("Sister", `${core.ids[sister]}: ${(core.end_kind[sister] || "end unknown").replaceAll("_", " ")}`));
    if (core.barcodes[row]) list.append(...fact("Barcode", core.barcodes[row]));
    for (const measure of [app.shown.colour, app.shown.function].filter((m, i, all) => m && all.indexOf(m) === i)) {
      const v = measure.values[row];
      list.append(...fact(measure.label, measure.kind === "number" ? app.number(v) : Number.isNaN(v) ? "unknown" : measure.words[v]));
    }
    byId("facts").replaceChildren(list);
  }

  async function showExpression(box, row, current) {
    box.replaceChildren();
    if (!app.core.genes.names.length) return;
    if (!app.hasExpression.has(row)) { box.append(app.element("p", { class: "hint", text: "This cell has no expression." })); return; }
    const at = app.core.genes.cells.indexOf(row);
    const names = app.watched.slice(-8);
    const levels = await Promise.all(names.map((name) => app.levels(app.geneAt.get(name))));
    if (current !== turn) return;
    const list = app.element("table", {}, app.element("caption", { text: "Expression of chosen genes in this cell and over all cells" }));
    list.append(app.element("tr", {}, ...["gene", "this cell", "rank among cells"].map((text) => app.element("th", { scope: "col", text }))));
    names.forEach((name, i) => {
      const own = levels[i][at], below = levels[i].reduce((sum, v) => sum + (v < own ? 1 : 0) + (v === own ? 0.5 : 0), 0) / levels[i].length;
      const meter = app.element("meter", { min: 0, max: 1, value: below, "aria-label": `${name}: above ${Math.round(100 * below)} of 100 cells` });
      const show = app.element("button", { type: "button", text: name, on: { click: () => app.colourBy(`g:${name}`) } });
      list.append(app.element("tr", {}, app.element("th", { scope: "row" }, show), app.element("td", { class: "number", text: app.number(own * app.core.genes.highest[app.geneAt.get(name)] / 255) }), app.element("td", {}, meter)));
    });
    box.append(app.element("h3", { text: "Expression" }), names.length ? list : app.element("p", { class: "hint", text: "Find a gene above, and it is listed here." }));
  }

  /** Quote a word for a shell, so that a name runs nothing. */
  const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

  function showCommands(box, row) {
    box.replaceChildren();
    const field = app.core.field[row];
    if (field < 0 || app.core.start[row] === null || !app.core.has_masks) return;
    const place = app.core.fields[field].join("/");
    const command = ["napari", ...["movie.ome.tif", "masks.ome.tif"].map((name) => quoted(`fov/${place}/${name}`))].join(" ");
    const copy = app.element("button", { type: "button", text: "Copy the command for napari", on: { click: async () => {
      try { await navigator.clipboard.writeText(command); app.say("Copied. Run it in the folder of results."); } catch { app.say("The browser does not allow copying; mark the command below."); }
    } } });
    box.append(app.element("h3", { text: "In napari" }), copy, app.element("pre", {}, app.element("code", { text: command })), app.element("p", { class: "hint", text: `Run it in the folder of results, and go to frame ${app.core.start[row]}. The movie is there if the run keeps movies (keep_movies).` }));
  }

  app.showCell = async function () {
    const row = app.selected, current = ++turn;
    if (row < 0) return;
    byId("cell-title").textContent = `Cell ${app.core.ids[row]}`;
    showFacts(row);
    app.drawTree(byId("tree"), row);
    showCommands(byId("commands"), row);
    const field = await app.fieldOf(row);
    if (current !== turn) return;
    app.drawCurve(byId("curve"), row, field);
    await Promise.all([showStrips(byId("strips"), row, field, current), showExpression(byId("expression"), row, current)]);
    if (current === turn) document.body.dataset.cell = app.core.ids[row];
  };
  app.on("select", () => app.showCell());
  app.on("measure", () => app.showCell());
})(window.cineseq);
