"use strict";
/* The start: controls, search, keys, and the address, which names the selected cell. */
(function (app) {
  const byId = (id) => document.getElementById(id);
  app.selected = -1;
  app.set = null;
  app.shown = {};
  app.watched = [];

  app.say = (text) => { byId("said").textContent = text; };

  /** Select a cell by its row. */
  app.select = function (row) {
    app.selected = row;
    const hash = `#track=${encodeURIComponent(app.core.ids[row])}`;
    if (location.hash !== hash) history.replaceState(null, "", hash);
    app.tell("select");
  };

  function fromAddress() {
    const match = /^#track=(.*)$/.exec(location.hash);
    if (!match) return;
    let name = match[1];
    try { name = decodeURIComponent(name); } catch { /* not encoded: taken as it is */ }
    const row = app.rowOf.get(name);
    if (row === undefined) app.say(`There is no cell ${name}.`);
    else if (row !== app.selected) app.select(row);
  }

  function options(select, keep) {
    for (const { name, label, kind } of app.core.columns) if (keep(kind)) select.append(app.element("option", { value: `c:${name}`, text: label }));
  }

  /** Load the measure of an axis or of the colour and show it. */
  async function show(role, key) {
    app.shown[role] = key ? await app.measure(key) : null;
  }

  /** Colour cells by a column (c:name) or a gene (g:name). */
  app.colourBy = async function (key) {
    const select = byId("colour");
    if (![...select.options].some((option) => option.value === key)) select.append(app.element("option", { value: key, text: key.slice(2) }));
    select.value = key;
    if (key.startsWith("g:")) app.watched = [...app.watched.filter((name) => name !== key.slice(2)), key.slice(2)];
    await show("colour", key);
    app.tell("measure");
  };

  /** Find a gene, a cell or a barcode: the exact name first, then the first that begins with it. */
  app.find = async function (text) {
    const wanted = text.trim();
    if (!wanted) return;
    const lower = wanted.toLowerCase();
    const { core } = app;
    const like = (names, test) => names.findIndex((name) => name && test(name.toLowerCase()));
    for (const test of [(name) => name === lower, (name) => name.startsWith(lower)]) {
      const cell = like(core.ids, test);
      if (cell >= 0) { app.select(cell); app.say(`Cell ${core.ids[cell]}.`); return; }
      const barcode = like(core.barcodes, test);
      if (barcode >= 0) { app.select(barcode); app.say(`Barcode ${core.barcodes[barcode]} is cell ${core.ids[barcode]}.`); return; }
      const gene = like(core.genes.names, test);
      if (gene >= 0) { await app.colourBy(`g:${core.genes.names[gene]}`); app.say(`Coloured by gene ${core.genes.names[gene]}.`); return; }
    }
    const missing = core.genes.total > core.genes.names.length ? " A gene that varies little is in the tables of the report only." : "";
    app.say(`No cell, gene or barcode begins with ${wanted}.${missing}`);
  };

  function connect() {
    for (const role of ["x", "y", "colour"]) {
      options(byId(role), (kind) => role === "colour" || kind === "number");
      byId(role).addEventListener("change", async (event) => {
        await show(role, event.target.value);
        app.tell("measure");
      });
    }
    byId("whole").addEventListener("click", () => app.whole());
    byId("search").addEventListener("submit", (event) => { event.preventDefault(); app.find(byId("query").value).catch((error) => app.say(error.message)); });
    document.addEventListener("keydown", (event) => {
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "n" || event.key === "p") app.step(event.key === "n" ? 1 : -1);
      if (event.key === "/") { event.preventDefault(); byId("query").focus(); }
    });
    window.addEventListener("hashchange", fromAddress);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { app.draw(); app.showCell(); });
  }

  async function start() {
    await app.open();
    const { first, notes } = app.core;
    byId("notes").textContent = notes.join(" ");
    connect();
    for (const role of ["x", "y", "colour"]) if (first[role]) byId(role).value = `c:${first[role]}`;
    await Promise.all(["x", "y", "colour", "function"].map((role) => show(role, first[role] && `c:${first[role]}`)));
    byId("plot").hidden = !app.shown.x;
    app.tell("measure");
    fromAddress();
    document.body.dataset.ready = String(Math.round(performance.now()));
  }
  start().catch((error) => app.say(`The explorer cannot start: ${error.message}.`));
})(window.cineseq);
