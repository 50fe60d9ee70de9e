"use strict";
/* The scatter: any two columns, coloured by a third; click, lasso, zoom, move. */
(function (app) {
  const CATEGORY = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7f5fc7", "#8c564b", "#e377c2", "#7f7f7f"];
  const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const UNKNOWN = "#8a8a8a66";
  const EDGE = 14;
  const NEAR = 14;
  const canvas = document.getElementById("scatter");
  const view = { zoom: 1, x: 0, y: 0 };
  let path = null;
  let drag = null;

  app.categoryColour = (code) => CATEGORY[code % CATEGORY.length];
  app.rampColour = function (share) {
    const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
    const low = Math.min(Math.floor(at), RAMP.length - 2);
    const mix = RAMP[low].map((c, i) => Math.round(c + (RAMP[low + 1][i] - c) * (at - low)));
    return `rgb(${mix.join(",")})`;
  };

  function range(values) {
    let low = Infinity, high = -Infinity;
    for (const v of values) if (!Number.isNaN(v)) { if (v < low) low = v; if (v > high) high = v; }
    return low > high ? [0, 1] : [low, high > low ? high : low + 1];
  }

  /** Return the colour of every cell by the current measure. */
  app.paint = function (measure) {
    if (!measure) return () => "#0072b2";
    if (measure.kind === "category") return (row) => Number.isNaN(measure.values[row]) ? UNKNOWN : app.categoryColour(measure.values[row]);
    const [low, high] = measure.range = measure.range || range(measure.values);
    const steps = Array.from({ length: 64 }, (_, i) => app.rampColour(i / 63));
    return (row) => {
      const v = measure.values[row];
      return Number.isNaN(v) ? UNKNOWN : steps[Math.round(63 * (v - low) / (high - low))];
    };
  };

  /** Compute the place of every cell on the canvas. */
  function place() {
    const { x, y } = app.shown;
    const [xl, xh] = x.range = x.range || range(x.values);
    const [yl, yh] = y.range = y.range || range(y.values);
    const w = canvas.clientWidth, h = canvas.clientHeight;
    const n = app.core.ids.length;
    const px = new Float32Array(n), py = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const u = EDGE + (w - 2 * EDGE) * (x.values[i] - xl) / (xh - xl);
      const v = h - EDGE - (h - 2 * EDGE) * (y.values[i] - yl) / (yh - yl);
      px[i] = (u - w / 2) * view.zoom + w / 2 + view.x;
      py[i] = (v - h / 2) * view.zoom + h / 2 + view.y;
    }
    app.placed = { px, py };
  }

  app.draw = function () {
    if (!app.shown || !app.shown.x) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * scale;
    canvas.height = canvas.clientHeight * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    place();
    const { px, py } = app.placed;
    const colour = app.paint(app.shown.colour);
    const size = px.length > 20000 ? 2 : px.length > 3000 ? 3 : 5;
    const groups = new Map();
    for (let i = 0; i < px.length; i++) {
      if (Number.isNaN(px[i]) || Number.isNaN(py[i])) continue;
      const key = colour(i);
      let group = groups.get(key);
      if (!group) groups.set(key, group = []);
      group.push(i);
    }
    const dim = app.set && app.set.size;
    for (const [key, rows] of groups) {
      pen.fillStyle = key;
      for (const i of rows) {
        if (dim) pen.globalAlpha = app.set.has(i) ? 1 : 0.2;
        pen.fillRect(px[i] - size / 2, py[i] - size / 2, size, size);
      }
    }
    pen.globalAlpha = 1;
    const ink = getComputedStyle(document.body).color;
    const at = app.selected;
    if (at >= 0 && !Number.isNaN(px[at])) {
      pen.strokeStyle = ink; pen.lineWidth = 2.5;
      pen.beginPath(); pen.arc(px[at], py[at], 9, 0, 2 * Math.PI); pen.stroke();
    }
    if (path) {
      pen.strokeStyle = ink; pen.lineWidth = 1.5; pen.setLineDash([4, 3]);
      pen.beginPath(); path.forEach(([x, y]) => pen.lineTo(x, y)); pen.closePath(); pen.stroke();
    }
    const { x, y, colour: c } = app.shown;
    canvas.setAttribute("aria-label", `Scatter of ${px.length} cells: ${y.label} against ${x.label}` + (c ? `, coloured by ${c.label}` : "") + (at >= 0 ? `; cell ${app.core.ids[at]} is circled` : ""));
  };

  function legend() {
    const box = document.getElementById("legend");
    const measure = app.shown.colour;
    box.replaceChildren();
    if (!measure) return;
    if (measure.kind === "number") {
      app.paint(measure);
      const bar = app.element("canvas", { width: 160, height: 12, role: "img", "aria-label": "Scale of colours from low to high" });
      const pen = bar.getContext("2d");
      for (let i = 0; i < 160; i++) { pen.fillStyle = app.rampColour(i / 159); pen.fillRect(i, 0, 1, 12); }
      box.append(app.element("span", { text: app.number(measure.range[0]) }), bar, app.element("span", { text: app.number(measure.range[1]) }), app.element("span", { text: `${measure.label}; grey is unknown` }));
      return;
    }
    const counts = measure.words.map(() => 0);
    for (const v of measure.values) if (!Number.isNaN(v)) counts[v]++;
    measure.words.forEach((word, code) => {
      const mark = app.element("span", { class: "mark" });
      mark.style.background = app.categoryColour(code);
      const choose = () => app.choose(app.core.ids.map((_, row) => row).filter((row) => measure.values[row] === code), `${measure.label}: ${word}`);
      box.append(app.element("button", { type: "button", title: "Choose these cells", on: { click: choose } }, mark, `${word} (${counts[code]})`));
    });
  }

  function inside(x, y) {
    let odd = false;
    for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
      const [xi, yi] = path[i], [xj, yj] = path[j];
      if ((yi > y) !== (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi) odd = !odd;
    }
    return odd;
  }

  function nearest(x, y, allowed) {
    const { px, py } = app.placed;
    let best = -1, least = Infinity;
    for (let i = 0; i < px.length; i++) {
      const dx = px[i] - x, dy = py[i] - y, far = dx * dx + dy * dy;
      if (far < least && (!allowed || allowed(dx, dy, i))) { least = far; best = i; }
    }
    return { row: best, far: Math.sqrt(least) };
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag = { x: event.offsetX, y: event.offsetY, move: event.shiftKey, vx: view.x, vy: view.y };
    path = event.shiftKey ? null : [[event.offsetX, event.offsetY]];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    if (drag.move) { view.x = drag.vx + event.offsetX - drag.x; view.y = drag.vy + event.offsetY - drag.y; }
    else path.push([event.offsetX, event.offsetY]);
    requestAnimationFrame(app.draw);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const far = path ? Math.max(...path.map(([x, y]) => Math.hypot(x - drag.x, y - drag.y))) : Infinity;
    if (path && far < 5) {
      const { row, far: away } = nearest(event.offsetX, event.offsetY);
      if (away <= NEAR) app.select(row);
    } else if (path) {
      const { px, py } = app.placed;
      app.choose(app.core.ids.map((_, row) => row).filter((row) => inside(px[row], py[row])), `drawn on ${app.shown.y.label} against ${app.shown.x.label}`);
    }
    path = drag = null;
    app.draw();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const factor = Math.exp(-event.deltaY / 300);
    const zoom = Math.min(Math.max(view.zoom * factor, 1), 60);
    const real = zoom / view.zoom, cx = event.offsetX - canvas.clientWidth / 2, cy = event.offsetY - canvas.clientHeight / 2;
    view.x = cx - (cx - view.x) * real; view.y = cy - (cy - view.y) * real; view.zoom = zoom;
    requestAnimationFrame(app.draw);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const { px, py } = app.placed;
    const seen = app.selected >= 0 && !Number.isNaN(px[app.selected]);
    const [x, y] = seen ? [px[app.selected], py[app.selected]] : [canvas.clientWidth / 2, canvas.clientHeight / 2];
    const ahead = (dx, dy, i) => i !== app.selected && dx * step[0] + dy * step[1] > Math.abs(dx * step[1] + dy * step[0]);
    const { row } = nearest(x, y, seen ? ahead : undefined);
    if (row >= 0) app.select(row);
  });

  app.whole = function () { view.zoom = 1; view.x = view.y = 0; app.draw(); };
  app.on("measure", () => { legend(); app.draw(); });
  app.on("select", () => app.draw());
  app.on("choose", () => app.draw());
  window.addEventListener("resize", () => app.draw());
})(window.cineseq);
