// Draws the run: lanes of nodes, lanes of VMs, faults as bands, messages as arrows.

const LABELS = 118;        // width of the column of names
const AXIS = 26;           // height of the time axis
const FAULT_ROW = 17, FAULT_ROWS_MOST = 5;
const MESSAGES_MOST = 6000;         // more arrows in view would be a grey field
const MESSAGES_SPAN = 12 * SECOND;  // and so would a longer span

const canvas = document.getElementById('canvas');
const overview = document.getElementById('overview');
const lanesBox = document.getElementById('lanes');

const view = {from: 0, to: Math.max(data.end, SECOND), cursor: 0, hover: null, filter: []};
let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = new Proxy({}, {get: (known, name) => known[name] ??= style.getPropertyValue('--' + name).trim()});
}

// ---- Where things are --------------------------------------------------------------------------

// Overlapping faults lie below each other.
const faultRows = (() => {
  const ends = [], last = [];
  for (const fault of faults) {
    let row = ends.findIndex((end) => end <= fault.from);
    if (row < 0) row = ends.length < FAULT_ROWS_MOST ? ends.length : FAULT_ROWS_MOST - 1;
    ends[row] = Math.max(ends[row] ?? 0, fault.to, fault.from + data.end * .08);
    fault.row = row;
    if (last[row]) last[row].next = fault;  // its name ends there
    last[row] = fault;
  }
  return ends.length;
})();
const FAULTS_TOP = AXIS;
const NODES_TOP = FAULTS_TOP + (faultRows ? faultRows * FAULT_ROW + 8 : 4);

// The lanes use the height there is, within what is still a lane; more of them scroll.
let guestRow = 9, nodeLane = 46, vmLane = 50, vmsTop = 0, height = 0;
function layOut(available) {
  const nodes = Math.max(1, data.nodes.length), vms = Math.max(1, data.vms.length);
  const spare = available - NODES_TOP - 24 - nodes * 30 - vms * 50;
  const perGuest = spare > 0 ? spare / (nodes * vms + vms) : 0;
  guestRow = Math.round(Math.max(5, Math.min(17, perGuest)));
  nodeLane = 26 + guestRow * vms;
  vmLane = Math.round(Math.max(50, Math.min(66, (available - NODES_TOP - 24 - nodes * nodeLane) / vms)));
  vmsTop = NODES_TOP + nodes * nodeLane + 14;
  height = vmsTop + data.vms.length * vmLane + 6;
}

const nodeTop = (node) => NODES_TOP + (nodeIndex.get(node) ?? 0) * nodeLane;
const nodeMiddle = (node) => nodeTop(node) + 11;
const guestTop = (node, vm) => nodeTop(node) + 21 + vm * guestRow;
const vmTop = (vm) => vmsTop + vm * vmLane;

let width = 0;
const xOf = (time) => LABELS + (time - view.from) / (view.to - view.from) * (width - LABELS);
const timeOf = (x) => view.from + (x - LABELS) / (width - LABELS) * (view.to - view.from);

const matches = (text) => view.filter.every((word) => text.includes(word));
// A lane that the filter does not name is pale, as long as it names another of its sort.
function isPale(name, all) {
  const words = view.filter.filter((word) => all.some((other) => other.toLowerCase().includes(word)));
  return words.length > 0 && !words.some((word) => name.toLowerCase().includes(word));
}

function sized(target, height) {
  const ratio = window.devicePixelRatio || 1;
  const wide = target.clientWidth;
  if (target.width !== Math.round(wide * ratio) || target.height !== Math.round(height * ratio)) {
    target.width = Math.round(wide * ratio);
    target.height = Math.round(height * ratio);
    target.style.height = height + 'px';
  }
  const pen = target.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, wide, height);
  return pen;
}

// Bars that would fall on the same pixels are drawn once.
function bars(pen, spans, top, height, colourOf, labelOf, ink = '#fff') {
  const filled = new Map();
  for (const span of spans) {
    if (span.to < view.from || span.from > view.to) continue;
    const y = top(span);
    const left = Math.max(LABELS, xOf(span.from));
    const right = Math.min(width, xOf(span.to));
    if (right <= (filled.get(y) ?? 0)) continue;
    const wide = Math.max(1, right - left);
    pen.fillStyle = colourOf(span);
    pen.fillRect(left, y, wide, height);
    filled.set(y, left + wide);
    const label = labelOf && wide > 34 ? labelOf(span) : '';
    if (label) text(pen, label, left + 5, y + height / 2, wide - 8, ink);
  }
}

function text(pen, words, x, y, most, colour, align = 'left') {
  pen.font = '11px system-ui, "DejaVu Sans", sans-serif';
  pen.textBaseline = 'middle';
  pen.textAlign = align;
  pen.fillStyle = colour;
  if (most !== Infinity && pen.measureText(words).width > most) {
    let length = Math.floor(words.length * most / pen.measureText(words).width) - 1;
    if (length < 2) return;
    words = words.slice(0, length) + '\u2026';
  }
  pen.fillText(words, x, y);
}

// ---- The parts ---------------------------------------------------------------------------------

function tickStep(span, pixels) {
  const rough = span / Math.max(1, pixels / 110);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

function drawAxis(pen) {
  const step = tickStep(view.to - view.from, width - LABELS);
  const digits = Math.max(0, -Math.floor(Math.log10(step / SECOND)));
  for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
    const x = Math.round(xOf(time)) + .5;
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, AXIS - 6);
    pen.lineTo(x, height);
    pen.stroke();
    if (x < LABELS + 14 || x > width - 20) continue;
    text(pen, (time / SECOND).toFixed(digits) + ' s', x, AXIS / 2 - 1, Infinity, colours.muted, 'center');
  }
}

function hatch(pen, left, top, wide, height, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, wide, height);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let x = left - height - (left % 7); x < left + wide; x += 7) {
    pen.moveTo(x, top + height);
    pen.lineTo(x + height, top);
  }
  pen.stroke();
  pen.restore();
}

// When a node was concerned by any fault: overlapping ones are one span, so that shades do not add.
const faultySpans = new Map(data.nodes.map((node) => {
  const merged = [];
  for (const {nodes, from, to} of faults) {  // ordered by their beginning
    if (!nodes.includes(node)) continue;
    const last = merged[merged.length - 1];
    if (last && from <= last.to) last.to = Math.max(last.to, to); else merged.push({from, to});
  }
  return [node, merged];
}));

function drawNodes(pen) {
  data.nodes.forEach((node) => {
    const y = nodeTop(node), alpha = isPale(nodeName(node), nodeNames) ? .3 : 1;
    pen.globalAlpha = alpha;
    // Down is an empty lane with a dashed line; what runs lies on a ground of its own.
    pen.strokeStyle = colours.faint;
    pen.lineWidth = 1;
    pen.setLineDash([2, 4]);
    pen.beginPath();
    pen.moveTo(LABELS, nodeMiddle(node) + .5);
    pen.lineTo(width, nodeMiddle(node) + .5);
    pen.stroke();
    pen.setLineDash([]);
    for (const {from, to} of faultySpans.get(node)) {
      if (to < view.from || from > view.to) continue;
      const left = Math.max(LABELS, xOf(from));
      pen.fillStyle = colours['fault-soft'];
      pen.fillRect(left, y + 1, Math.max(1, Math.min(width, xOf(to)) - left), nodeLane - 2);
    }
    for (const process of processes) {
      if (process.node !== node || process.to < view.from || process.from > view.to) continue;
      const left = Math.max(LABELS, xOf(process.from));
      const wide = Math.max(1, Math.min(width, xOf(process.to)) - left);
      pen.fillStyle = colours.lane;
      pen.globalAlpha *= .55;
      pen.fillRect(left, y + 3, wide, nodeLane - 6);
      pen.globalAlpha = alpha;
      if (process.frozen) hatch(pen, left, y + 3, wide, nodeLane - 6, colours.frozen);
      pen.fillStyle = nodeColour(node);
      pen.fillRect(left, nodeMiddle(node) - .5, wide, process.frozen ? 1 : 2);
    }
    bars(pen, leaders.filter((leader) => leader.node === node), () => y + 4, 14, () => colours.leader,
         (leader) => 'leader, term ' + leader.term, '#2e2203');
    bars(pen, executions.filter((execution) => execution.node === node),
         (execution) => guestTop(node, execution.vm), guestRow - 2, () => nodeColour(node),
         guestRow >= 13 ? (execution) => data.vms[execution.vm] : null);
    pen.globalAlpha = 1;
  });
}

function phaseColour(phase) {
  return phase === 1 ? colours.setup : phase === 2 ? colours.data : colours.move;
}

function drawVms(pen) {
  data.vms.forEach((name, vm) => {
    const y = vmTop(vm);
    pen.globalAlpha = isPale(name, data.vms) ? .3 : 1;
    pen.fillStyle = vm % 2 ? colours['lane-other'] : colours.lane;
    pen.fillRect(LABELS, y + 1, width - LABELS, vmLane - 2);
    bars(pen, owners.filter((owner) => owner.vm === vm), () => y + 5, 15,
         (owner) => nodeColour(owner.node),
         (owner) => nodeName(owner.node) + '  epoch ' + owner.epoch);
    // Where it executes, not only who may: a gap is an outage.
    bars(pen, executions.filter((execution) => execution.vm === vm), () => y + 23, 5,
         (execution) => nodeColour(execution.node));
    bars(pen, phases.filter((phase) => phase.vm === vm), () => y + 33, 13,
         (phase) => phaseColour(phase.phase),
         (phase) => PHASES[phase.phase] +
             (phase.phase === 1 ? ' ' + nodeName(phase.source) + ' \u2192 ' + nodeName(phase.target) : ''));
    drawRounds(pen, vm, y);
    drawEnds(pen, vm, y);
    pen.globalAlpha = 1;
  });
}

function drawRounds(pen, vm, y) {
  let last = -10;
  for (const round of rounds) {
    if (round.vm !== vm || round.at < view.from || round.at > view.to) continue;
    const x = xOf(round.at);
    if (x - last < 3) continue;
    last = x;
    pen.fillStyle = colours.panel;
    pen.fillRect(Math.round(x), y + 33, 1, 13);
  }
}

// How a migration ended: completed, canceled or failed.
function drawEnds(pen, vm, y) {
  for (const phase of phases) {
    if (phase.vm !== vm || phase.next >= 1 && phase.next <= 3) continue;
    if (phase.to < view.from || phase.to > view.to || phase.to >= data.end) continue;
    const x = xOf(phase.to), middle = y + 39;
    pen.strokeStyle = phase.next === 0 ? colours.good : phase.next === 4 ? colours.muted : colours.violation;
    pen.lineWidth = 2;
    pen.beginPath();
    if (phase.next === 0) {
      pen.moveTo(x + 3, middle); pen.lineTo(x + 6, middle + 3); pen.lineTo(x + 11, middle - 4);
    } else if (phase.next === 4) {
      pen.moveTo(x + 3, middle); pen.lineTo(x + 11, middle);
    } else {
      pen.moveTo(x + 4, middle - 3); pen.lineTo(x + 10, middle + 3);
      pen.moveTo(x + 10, middle - 3); pen.lineTo(x + 4, middle + 3);
    }
    pen.stroke();
    pen.lineWidth = 1;
  }
}

function drawFaults(pen) {
  const last = [];
  for (const fault of faults) {
    if (fault.to < view.from || fault.from > view.to) continue;
    const left = Math.max(LABELS, xOf(fault.from));
    const wide = Math.max(2, Math.min(width, xOf(fault.to)) - left);
    const y = FAULTS_TOP + fault.row * FAULT_ROW;
    if (left + wide <= (last[fault.row] ?? 0)) continue;
    last[fault.row] = left + wide;
    pen.fillStyle = colours['fault-soft'];
    pen.fillRect(left, y, wide, FAULT_ROW - 3);
    pen.fillStyle = colours.fault;
    pen.fillRect(left, y, 2, FAULT_ROW - 3);
    // What strikes at once is a moment with its name beside it.
    const free = fault.next ? xOf(fault.next.from) - left - 10 : Infinity;
    const room = Math.min(fault.to - fault.from < MS ? 150 : wide - 8, free);
    if (room > 22) text(pen, fault.text, left + 6, y + FAULT_ROW / 2 - 1, room, colours.fault);
  }
}

// True if they were drawn: from far away they say nothing.
let messagesInView = 0;
function drawMessages(pen) {
  messagesInView = 0;
  if (view.to - view.from > MESSAGES_SPAN) return false;
  const list = data.messages;
  const begin = firstNotBefore(list, view.from - longestFlight, (m) => m[M.SENT]);
  const wanted = [];
  for (let i = begin; i < list.length && list[i][M.SENT] <= view.to; ++i) {
    const message = list[i];
    if (!CLASSES[classOfType[message[M.TYPE]]].on || message[M.GOT] >= 0 && message[M.GOT] < view.from) continue;
    wanted.push(message);
    if (wanted.length > MESSAGES_MOST) break;
  }
  messagesInView = wanted.length;
  if (wanted.length > MESSAGES_MOST) return false;
  pen.save();
  pen.beginPath();
  pen.rect(LABELS, 0, width, height);
  pen.clip();
  const alpha = Math.max(.22, Math.min(.7, 60 / Math.sqrt(wanted.length * 40)));
  for (const message of wanted) drawMessage(pen, message, alpha);
  pen.restore();
  return true;
}

function drawMessage(pen, message, alpha) {
  const lost = message[M.GOT] < 0;
  const y0 = nodeMiddle(message[M.FROM]), y1 = nodeMiddle(message[M.TO]);
  const x0 = xOf(message[M.SENT]);
  const x1 = lost ? x0 + 9 : xOf(message[M.GOT]);
  const share = lost ? .35 : 1;
  const endX = lost ? x1 : x0 + (x1 - x0) * share, endY = y0 + (y1 - y0) * share;
  const shade = lost ? colours.violation : colours[CLASSES[classOfType[message[M.TYPE]]].colour.slice(2)];
  pen.strokeStyle = pen.fillStyle = shade;
  pen.globalAlpha = lost ? .75 : alpha;
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(endX, endY);
  pen.stroke();
  if (lost) {
    pen.beginPath();
    pen.moveTo(endX - 3, endY - 3); pen.lineTo(endX + 3, endY + 3);
    pen.moveTo(endX + 3, endY - 3); pen.lineTo(endX - 3, endY + 3);
    pen.stroke();
  } else {
    const angle = Math.atan2(endY - y0, endX - x0);
    pen.beginPath();
    pen.moveTo(endX, endY);
    pen.lineTo(endX - 7 * Math.cos(angle - .35), endY - 7 * Math.sin(angle - .35));
    pen.lineTo(endX - 7 * Math.cos(angle + .35), endY - 7 * Math.sin(angle + .35));
    pen.fill();
  }
  pen.globalAlpha = 1;
}

function drawNames(pen) {
  pen.fillStyle = colours.panel;
  pen.fillRect(0, 0, LABELS - 1, Math.max(height, lanesBox.clientHeight));
  pen.fillStyle = colours.line;
  pen.fillRect(LABELS - 1, 0, 1, Math.max(height, lanesBox.clientHeight));
  if (faultRows) text(pen, 'faults', 14, FAULTS_TOP + 7, Infinity, colours.fault);
  for (const node of data.nodes) {
    pen.fillStyle = nodeColour(node);
    pen.fillRect(14, nodeMiddle(node) - 4, 8, 8);
    text(pen, nodeName(node), 29, nodeMiddle(node), LABELS - 34, isPale(nodeName(node), nodeNames) ? colours.faint : colours.ink);
  }
  data.vms.forEach((name, vm) => {
    const pale = isPale(name, data.vms);
    text(pen, name, 14, vmTop(vm) + 12, LABELS - 20, pale ? colours.faint : colours.ink);
    text(pen, 'executes', 22, vmTop(vm) + 26, LABELS - 20, colours.faint);
    text(pen, 'migration', 22, vmTop(vm) + 39, LABELS - 20, colours.faint);
  });
}

function drawLines(pen) {
  for (const violation of violations) {
    if (violation.at < view.from || violation.at > view.to) continue;
    const x = Math.round(xOf(violation.at));
    pen.fillStyle = colours.violation;
    pen.globalAlpha = .8;
    pen.fillRect(x - 1.5, AXIS - 8, 3, height);
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.moveTo(x, AXIS - 9); pen.lineTo(x, AXIS - 21); pen.lineTo(x + 12, AXIS - 15);
    pen.fill();
  }
  if (view.cursor >= view.from && view.cursor <= view.to) {
    pen.fillStyle = colours.select;
    pen.fillRect(Math.round(xOf(view.cursor)) - .5, AXIS - 6, 1.5, height);
  }
  if (view.hover !== null) {
    pen.fillStyle = colours.faint;
    pen.fillRect(Math.round(view.hover) + .25, AXIS - 4, .5, height);
  }
}

let messagesShown = false;
function draw() {
  width = canvas.clientWidth;
  layOut(lanesBox.clientHeight - 2);
  const pen = sized(canvas, Math.max(height, lanesBox.clientHeight - 1));
  drawAxis(pen);
  drawNodes(pen);
  drawVms(pen);
  drawFaults(pen);
  messagesShown = drawMessages(pen);
  drawLines(pen);
  drawNames(pen);
  drawOverview();
}

// ---- The whole run in one strip ----------------------------------------------------------------

function drawOverview() {
  const pen = sized(overview, 34);
  const x = (time) => LABELS + time / Math.max(1, data.end) * (width - LABELS);
  text(pen, 'whole run', 14, 17, LABELS, colours.muted);
  pen.fillStyle = colours.lane;
  pen.fillRect(LABELS, 13, width - LABELS, 8);
  pen.fillStyle = colours['fault-soft'];
  for (const fault of faults) pen.fillRect(x(fault.from), 13, Math.max(1, x(fault.to) - x(fault.from)), 8);
  for (const phase of phases) {
    pen.fillStyle = phaseColour(phase.phase);
    pen.fillRect(x(phase.from), 22, Math.max(1, x(phase.to) - x(phase.from)), 3);
  }
  for (const process of processes) {
    if (process.to >= data.end) continue;
    pen.fillStyle = process.frozen ? colours.frozen : colours.fault;
    pen.fillRect(x(process.to) - .5, 9, 1.5, 4);
  }
  for (const violation of violations) {
    pen.fillStyle = colours.violation;
    pen.fillRect(x(violation.at) - 1, 5, 2, 24);
  }
  pen.fillStyle = colours.select;
  pen.fillRect(x(view.cursor) - .5, 4, 1.5, 26);
  pen.strokeStyle = colours.select;
  pen.lineWidth = 1;
  const left = Math.max(x(view.from), LABELS), right = Math.min(x(view.to), width);
  pen.globalAlpha = .12;
  pen.fillRect(left, 3, Math.max(3, right - left), 28);
  pen.globalAlpha = 1;
  pen.strokeRect(left + .5, 3.5, Math.max(3, right - left - 1), 27);
}
