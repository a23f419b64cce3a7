// The side: what holds at the cursor, the list of events, the rules, the run itself.

const byId = (id) => document.getElementById(id);
const ROW = 25;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// ---- The list: only the rows in sight exist ----------------------------------------------------

let shown = moments;      // those the filter lets through
let current = -1;         // place in `shown`

const DOTS = ['violation', 'fault', 'select', 'muted', 'leader', 'data', 'other'];

function applyFilter() {
  view.filter = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = view.filter.length ? moments.filter((moment) => matches(wordsOf(moment))) : moments;
  byId('count').textContent = shown.length === moments.length ? moments.length : shown.length + ' of ' + moments.length;
  byId('rows').style.height = shown.length * ROW + 'px';
  current = lastNotAfter(view.cursor);
  showRows();
}

// The place of the last event at this time or before; -1 if there is none.
function lastNotAfter(time) {
  return firstNotBefore(shown, time + 1, (moment) => moment.at) - 1;
}

function showRows() {
  const box = byId('events'), rows = byId('rows');
  const begin = Math.max(0, Math.floor(box.scrollTop / ROW) - 4);
  const end = Math.min(shown.length, begin + Math.ceil(box.clientHeight / ROW) + 9);
  rows.replaceChildren();
  if (!shown.length) rows.append(element('div', 'Nothing matches the filter.', 'empty'));
  for (let i = begin; i < end; ++i) {
    const moment = shown[i];
    const row = element('div', undefined, 'row' + (moment.kind === 0 ? ' violation' : '') + (i === current ? ' now' : ''));
    row.style.top = i * ROW + 'px';
    row.title = moment.text;
    row.append(element('span', (moment.at / SECOND).toFixed(3), 'time'));
    const dot = element('b');
    dot.style.background = colours[DOTS[moment.kind]];
    row.append(dot, element('span', moment.text));
    row.onclick = () => select(i);
    rows.append(row);
  }
}

function scrollToCurrent() {
  const box = byId('events');
  const top = Math.max(0, current) * ROW;
  if (top < box.scrollTop + ROW || top > box.scrollTop + box.clientHeight - 2 * ROW) {
    box.scrollTop = Math.max(0, top - box.clientHeight / 2);
  }
  showRows();
}

// ---- What holds at the cursor ------------------------------------------------------------------

function row(cells, className) {
  const made = element('tr', undefined, className);
  for (const cell of cells) {
    const td = element('td');
    td.append(...[].concat(cell));
    made.append(td);
  }
  return made;
}

function chip(colour) {
  const made = element('i', undefined, 'chip');
  made.style.background = colour;
  return made;
}

function nodeCells({node, process, faults: broken}, leader) {
  const state = !process ? element('span', 'down', 'off')
      : process.frozen ? element('span', 'frozen', 'off') : element('span', 'up');
  const rest = [state];
  if (process && leader?.node === node) rest.push(' \u00b7 ', element('span', 'leader, term ' + leader.term, 'badge'));
  if (broken.length) rest.push(' \u00b7 ', element('span', broken.map((fault) => fault.text).join(', '), 'off'));
  return [[chip(nodeColour(node)), nodeName(node)], rest];
}

function vmCells({name, owner, executes, phase}) {
  if (!owner) return [name, 'does not exist'];
  const rest = [nodeName(owner.node) + ', epoch ' + owner.epoch + ' \u00b7 '];
  const where = [...new Set(executes.map((execution) => execution.node))];
  if (!where.length) rest.push(element('span', 'does not execute', 'off'));
  else if (where.length > 1 || where[0] !== owner.node) rest.push('executes on ' + where.map(nodeName).join(' AND '));
  else rest.push('executes');
  if (phase) {
    const done = rounds.filter((one) => one.job === phase.job && one.at <= view.cursor);
    rest.push(' \u00b7 ' + PHASES[phase.phase] + ' ' + nodeName(phase.source) + ' \u2192 ' + nodeName(phase.target));
    if (done.length) rest.push(', round ' + (done[done.length - 1].round + 1) + ', ' + bytesText(done[done.length - 1].dirty) + ' dirty');
  }
  return [[chip(nodeColour(owner.node)), name], rest];
}

function showState() {
  const state = stateAt(view.cursor);
  const heading = element('h2', 'At ');
  heading.append(element('span', timeText(view.cursor, view.to - view.from), 'time'));
  const table = element('table');
  for (const node of state.nodes) table.append(row(nodeCells(node, state.leader)));
  state.vms.forEach((vm, i) => table.append(row(vmCells(vm), i ? '' : 'gap')));
  byId('state').replaceChildren(heading, table);
  const moment = shown[current];
  if (moment && moment.at === view.cursor) {
    heading.after(element('p', moment.text, moment.kind === 0 ? 'what-happened off' : 'what-happened'));
  }
}

// ---- The rules and the run ---------------------------------------------------------------------

function showRules() {
  const table = element('table');
  const head = element('tr');
  for (const name of ['Rule', 'Evaluated', 'What it says']) head.append(element('th', name));
  table.append(head);
  for (const [label, says, times] of data.rules) {
    const broken = violations.filter((violation) => violation.rule === label).length;
    const made = row([label, times ? times.toLocaleString('en') : 'never', says + (broken ? ' \u2014 broken ' + (broken === 1 ? 'once' : broken + ' times') : '')],
                     broken ? 'broken' : times ? '' : 'unseen');
    made.children[1].className = 'n';
    table.append(made);
  }
  byId('rules').replaceChildren(table);
}

function showRun() {
  const sheet = byId('run');
  sheet.replaceChildren();
  const part = (title, content) => sheet.append(element('h3', title), element('pre', content));
  for (const violation of violations) part(violation.rule + ' at ' + timeText(violation.at), violation.text);
  part('Replay', data.replay);
  part('Options', JSON.stringify(data.options, null, 2));
  if (data.scenario) part('Scenario', data.scenario);
  sheet.append(element('h3', 'Keys'));
  const keys = element('table');
  for (const [key, what] of [['\u2190 \u2192', 'previous, next event'], ['v', 'first violation'], ['+ \u2212', 'zoom'],
                             ['f', 'whole run'], ['/', 'filter'], ['wheel', 'zoom; with shift or sideways: move'],
                             ['drag', 'move']]) {
    keys.append(row([element('kbd', key), what]));
  }
  sheet.append(keys);
}

function showTab(name) {
  for (const tab of ['events', 'rules', 'run']) {
    byId('tab-' + tab).classList.toggle('on', tab === name);
    byId(tab).hidden = tab !== name;
  }
  if (name === 'events') scrollToCurrent();
}
