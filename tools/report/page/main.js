// What people do: move, zoom, step, filter, copy.

const SHORTEST = 20e3;  // no closer than 20 us
const longest = Math.max(data.end, SECOND);

let drawn = false;
function redraw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    draw();
    showHint();
  });
}

function look(from, to) {
  const span = Math.min(longest * 1.02, Math.max(SHORTEST, to - from));
  const middle = (from + to) / 2;
  view.from = Math.max(-longest * .01, Math.min(middle - span / 2, longest * 1.01 - span));
  view.to = view.from + span;
  redraw();
}

const fit = () => look(-longest * .008, longest * 1.008);
function zoom(factor, around = Math.min(view.to, Math.max(view.from, view.cursor))) {
  look(around - (around - view.from) * factor, around + (view.to - around) * factor);
}
function move(time) { look(view.from + time, view.to + time); }

// ---- The cursor --------------------------------------------------------------------------------

function setCursor(time) {
  view.cursor = Math.max(0, Math.min(data.end, time));
  if (view.cursor < view.from || view.cursor > view.to) {
    const half = (view.to - view.from) / 2;
    look(view.cursor - half, view.cursor + half);
  }
  showState();
  byId('previous').disabled = current <= 0;
  byId('next').disabled = current + 1 >= shown.length;
  redraw();
}

function select(place) {
  if (place < 0 || place >= shown.length) return;
  current = place;
  setCursor(shown[place].at);
  scrollToCurrent();
}

function goTo(time) {
  current = firstNotBefore(shown, time + 1, (moment) => moment.at) - 1;
  setCursor(time);
  scrollToCurrent();
}

function goToViolation() {
  if (!violations.length) return;
  const first = violations[0].at;
  if (byId('filter').value) { byId('filter').value = ''; applyFilter(); }
  showTab('events');
  if (view.to - view.from > 6 * SECOND) look(first - 3 * SECOND, first + 2 * SECOND);
  const place = shown.findIndex((moment) => moment.kind === 0);
  if (place >= 0) select(place); else goTo(first);
}

// ---- Mouse -------------------------------------------------------------------------------------

canvas.addEventListener('wheel', (event) => {
  event.preventDefault();
  const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    move(sideways / width * (view.to - view.from));
  } else {
    zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY * .002))), timeOf(Math.max(LABELS, event.offsetX)));
  }
}, {passive: false});

let drag = null;
canvas.addEventListener('pointerdown', (event) => {
  canvas.setPointerCapture(event.pointerId);
  drag = {x: event.clientX, y: event.clientY, from: view.from, to: view.to, top: lanesBox.scrollTop, moved: false};
});
canvas.addEventListener('pointermove', (event) => {
  view.hover = event.offsetX > LABELS ? event.offsetX : null;
  if (drag) {
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    drag.moved ||= Math.abs(dx) + Math.abs(dy) > 4;
    if (drag.moved) {
      canvas.classList.add('dragging');
      const shift = dx / (width - LABELS) * (drag.to - drag.from);
      look(drag.from - shift, drag.to - shift);
      lanesBox.scrollTop = drag.top - dy;
    }
  }
  showTip(event);
  redraw();
});
canvas.addEventListener('pointerup', (event) => {
  if (drag && !drag.moved && event.offsetX > LABELS) goTo(timeOf(event.offsetX));
  drag = null;
  canvas.classList.remove('dragging');
});
canvas.addEventListener('pointerleave', () => { view.hover = null; byId('tip').hidden = true; redraw(); });

function lookFromOverview(event) {
  const time = (event.offsetX - LABELS) / Math.max(1, width - LABELS) * longest;
  const half = (view.to - view.from) / 2;
  look(time - half, time + half);
}
overview.addEventListener('pointerdown', (event) => { overview.setPointerCapture(event.pointerId); lookFromOverview(event); });
overview.addEventListener('pointermove', (event) => { if (event.buttons) lookFromOverview(event); });

// ---- What is under the mouse -------------------------------------------------------------------

function nearMessage(x, y) {
  if (!messagesShown) return null;
  const begin = firstNotBefore(data.messages, timeOf(x) - longestFlight, (m) => m[M.SENT]);
  for (let i = begin; i < data.messages.length && xOf(data.messages[i][M.SENT]) <= x + 4; ++i) {
    const message = data.messages[i];
    if (!CLASSES[classOfType[message[M.TYPE]]].on) continue;
    const y0 = nodeMiddle(message[M.FROM]), y1 = nodeMiddle(message[M.TO]);
    const share = (y - y0) / (y1 - y0);
    if (share < 0 || share > (message[M.GOT] < 0 ? .35 : 1)) continue;
    const x0 = xOf(message[M.SENT]), x1 = message[M.GOT] < 0 ? x0 + 26 : xOf(message[M.GOT]);
    if (Math.abs(x0 + (x1 - x0) * share - x) < 4) return message;
  }
  return null;
}

function messageTip(message) {
  const flight = message[M.GOT] < 0 ? 'never arrived' : 'took ' + ((message[M.GOT] - message[M.SENT]) / MS).toFixed(3) + ' ms';
  return data.types[message[M.TYPE]] + ', ' + nodeName(message[M.FROM]) + ' \u2192 ' + nodeName(message[M.TO]) + '\n' + flight +
      (message[M.TERM] ? ', term ' + message[M.TERM] : '') + (message[M.INDEX] ? ', entry ' + message[M.INDEX] : '');
}

const lasted = (span) => ((Math.min(span.to, data.end) - span.from) / SECOND).toFixed(3) + ' s';

function tipAt(x, y) {
  const time = timeOf(x);
  const covering = covers(time);
  if (y < NODES_TOP) {
    const fault = faults.find((one) => covering(one) && Math.floor((y - FAULTS_TOP) / FAULT_ROW) === one.row);
    return fault && fault.text + '\nfor ' + lasted(fault);
  }
  const message = nearMessage(x, y);
  if (message) return messageTip(message);
  const vm = Math.floor((y - vmsTop) / vmLane);
  if (vm < 0 || vm >= data.vms.length) return null;
  const depth = y - vmTop(vm);
  if (depth > 31) {
    const phase = phases.find((one) => one.vm === vm && covering(one));
    const round = phase && rounds.filter((one) => one.job === phase.job && one.at <= time).pop();
    return phase && PHASES[phase.phase] + ' of job ' + phase.job + ', ' + nodeName(phase.source) + ' \u2192 ' +
        nodeName(phase.target) + '\nfor ' + lasted(phase) + (phase.next > 3 ? ', then ' + PHASES[phase.next] : '') +
        (round ? '\nround ' + (round.round + 1) + ' sent ' + bytesText(round.sent) + ', ' + bytesText(round.dirty) + ' dirty' : '');
  }
  const spans = depth > 21 ? executions : owners;
  const span = spans.find((one) => one.vm === vm && covering(one));
  return span && (depth > 21 ? 'executes on ' : 'belongs to ') + nodeName(span.node) + '\nfor ' + lasted(span);
}

function showTip(event) {
  const tip = byId('tip');
  const words = event.offsetX > LABELS && !drag?.moved ? tipAt(event.offsetX, event.offsetY) : null;
  tip.hidden = !words;
  if (!words) return;
  tip.textContent = words;
  const box = tip.parentElement.getBoundingClientRect();
  tip.style.left = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 8) + 'px';
  tip.style.top = Math.min(event.clientY - box.top + 14, box.height - tip.offsetHeight - 8) + 'px';
}

function showHint() {
  const hint = byId('hint');
  hint.textContent = !data.messages.length ? 'no messages recorded'
      : messagesShown ? messagesInView.toLocaleString('en') + ' messages in view' : 'zoom in to see messages';
}

// ---- Keys and buttons --------------------------------------------------------------------------

document.addEventListener('keydown', (event) => {
  if (event.target === byId('filter')) {
    if (event.key === 'Escape') { byId('filter').value = ''; applyFilter(); redraw(); byId('filter').blur(); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const does = {
    ArrowLeft: () => select(current - 1), ArrowRight: () => select(current + 1),
    ArrowUp: () => select(current - 1), ArrowDown: () => select(current + 1),
    Home: () => select(0), End: () => select(shown.length - 1),
    v: goToViolation, f: fit, '+': () => zoom(.5), '=': () => zoom(.5), '-': () => zoom(2),
    '/': () => byId('filter').focus(),
  }[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});

byId('first').onclick = goToViolation;
byId('previous').onclick = () => select(current - 1);
byId('next').onclick = () => select(current + 1);
byId('in').onclick = () => zoom(.5);
byId('out').onclick = () => zoom(2);
byId('fit').onclick = fit;
byId('filter').oninput = () => { applyFilter(); setCursor(view.cursor); scrollToCurrent(); };
byId('events').onscroll = showRows;
for (const tab of ['events', 'rules', 'run']) byId('tab-' + tab).onclick = () => showTab(tab);

// A page from a disk may not be allowed to use the clipboard: then the text is selected for it.
byId('copy').onclick = async () => {
  try {
    await navigator.clipboard.writeText(data.replay);
  } catch {
    getSelection().selectAllChildren(byId('replay'));
    document.execCommand('copy');
  }
  byId('copy').textContent = 'Copied';
  setTimeout(() => { byId('copy').textContent = 'Copy'; }, 1500);
};

// ---- The beginning -----------------------------------------------------------------------------

function showHeader() {
  byId('title').textContent = data.title;
  byId('replay').textContent = data.replay;
  const rules = [...new Set(violations.map((violation) => violation.rule))];
  byId('verdict').textContent = rules.length ? rules.join(', ') + ' violated' : 'every rule held';
  byId('verdict').classList.toggle('bad', rules.length > 0);
  const counted = (number, noun) => number + ' ' + noun + (number === 1 ? '' : 's');
  byId('facts').textContent = [counted(data.nodes.length, 'node'), counted(data.vms.length, 'VM'),
    (data.end / SECOND).toFixed(1) + (data.world === 'virtual' ? ' s of virtual time' : ' s on processes'),
    counted(faults.length, 'fault')].join(' \u00b7 ');
  byId('first').hidden = !violations.length;
}

function showClasses() {
  const box = byId('classes');
  box.append('messages');
  CLASSES.forEach((one, i) => {
    if (!classOfType.includes(i)) return;
    const button = element('button', undefined, one.on ? 'on' : '');
    const line = element('i');
    line.style.borderColor = 'var(' + one.colour + ')';
    button.append(line, one.name);
    button.onclick = () => { one.on = !one.on; button.classList.toggle('on', one.on); redraw(); };
    box.append(button);
  });
  box.append(Object.assign(element('small'), {id: 'hint'}));
}

function showLegend() {
  const items = [['leader', 'leader'], ['fault-soft', 'fault'], ['frozen', 'frozen'], ['setup', 'Setup'],
                 ['data', 'Data Transfer'], ['move', 'Move']];
  for (const [colour, name] of items) {
    const item = element('span');
    const swatch = element('i');
    swatch.style.background = 'var(--' + colour + ')';
    item.append(swatch, name);
    byId('legend').append(item);
  }
  for (const name of ['a bar has the colour of its node', 'dashed lane: down', 'white ticks: rounds',
                      '\u2713 completed  \u2212 canceled  \u2715 failed']) {
    byId('legend').append(element('span', name));
  }
}

readColours();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColours(); showRows(); redraw(); });
new ResizeObserver(() => { redraw(); showRows(); }).observe(document.querySelector('main'));
showHeader();
showClasses();
showLegend();
showRules();
showRun();
applyFilter();
fit();
if (violations.length) goToViolation(); else select(0);
