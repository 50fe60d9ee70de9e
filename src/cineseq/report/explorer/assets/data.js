"use strict";
/* Data: chunks are scripts that call cineseq.take; columns, genes and fields are loaded when asked for. */
window.cineseq = window.cineseq || {};
(function (app) {
  const folder = document.body ? document.body.dataset.folder : "";
  const waiting = new Map();
  const kept = new Map();
  const KEPT = 400;

  app.bytes = 0;
  app.listeners = {};

  /** Call the listeners of an event. */
  app.tell = function (event) {
    for (const listener of app.listeners[event] || []) listener();
  };
  app.on = function (event, listener) {
    (app.listeners[event] = app.listeners[event] || []).push(listener);
  };

  /** Make an element; texts become text nodes, never HTML, because names come from files. */
  app.element = function (tag, options, ...children) {
    const made = document.createElement(tag);
    const { text, on, ...attributes } = options || {};
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    for (const [event, listener] of Object.entries(on || {})) made.addEventListener(event, listener);
    if (text !== undefined) made.textContent = text;
    made.append(...children);
    return made;
  };

  /** Take the content of a chunk; called by the chunk itself. */
  app.take = function (name, base64) {
    app.bytes += base64.length;
    const take = waiting.get(name);
    if (take) take(base64);
  };

  async function unpacked(base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }

  function read(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(name, (base64) => resolve(unpacked(base64)));
      script.onerror = () => reject(new Error(`${folder}/${name}.js is not there`));
      script.onload = () => { script.remove(); waiting.delete(name); };
      script.src = `${folder}/${name}.js`;
      document.head.append(script);
    });
  }

  /** Return the content of a chunk as an ArrayBuffer; the last ones are kept. */
  app.chunk = function (name) {
    if (!kept.has(name)) {
      kept.set(name, read(name));
      if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    }
    return kept.get(name);
  };
  app.json = async function (name) {
    return JSON.parse(new TextDecoder().decode(await app.chunk(name)));
  };

  /** Return the values of a column, one per cell; NaN where unknown. */
  app.column = async function (place) {
    const each = app.core.columns_each;
    const values = new Float32Array(await app.chunk(`columns_${Math.floor(place / each)}`));
    const cells = app.core.ids.length;
    return values.subarray((place % each) * cells, (place % each + 1) * cells);
  };

  /** Return the levels (0 to 255) of a gene, one per cell with expression. */
  app.levels = async function (place) {
    const { each, cells } = app.core.genes;
    const levels = new Uint8Array(await app.chunk(`genes_${Math.floor(place / each)}`));
    return levels.subarray((place % each) * cells.length, (place % each + 1) * cells.length);
  };

  /** Return {label, kind, values, words} of a column (c:name) or a gene (g:name). */
  app.measure = async function (key) {
    const name = key.slice(2);
    if (key.startsWith("g:")) {
      const place = app.geneAt.get(name);
      const levels = await app.levels(place);
      const values = new Float32Array(app.core.ids.length).fill(NaN);
      const step = app.core.genes.highest[place] / 255;
      app.core.genes.cells.forEach((row, i) => { values[row] = levels[i] * step; });
      return { label: `${name} (log expression)`, kind: "number", values };
    }
    const place = app.columnAt.get(name);
    const column = app.core.columns[place];
    return { label: column.label, kind: column.kind, values: await app.column(place), words: column.values };
  };

  /** Return the chunk of the field of a cell: strips and curves; nothing in it without a field. */
  app.fieldOf = async function (row) {
    const field = app.core.field[row];
    return field < 0 ? { strips: {}, curves: {}, number: -1 } : { ...(await app.json(`field_${field}`)), number: field };
  };

  /** Write a number for readers, with three significant digits. */
  app.number = function (value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "unknown";
    if (Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
  };

  app.open = async function () {
    app.core = await app.json("core");
    app.rowOf = new Map(app.core.ids.map((name, row) => [name, row]));
    app.geneAt = new Map(app.core.genes.names.map((name, place) => [name, place]));
    app.columnAt = new Map(app.core.columns.map((column, place) => [column.name, place]));
    app.children = app.core.ids.map(() => []);
    app.core.parent.forEach((parent, row) => { if (parent >= 0) app.children[parent].push(row); });
    app.hasExpression = new Set(app.core.genes.cells);
  };
})(window.cineseq);
