'use strict';
// The run as the page was given it, and what can be asked of it. Times are nanoseconds.

const data = JSON.parse(document.getElementById('data').textContent);
const MS = 1e6, SECOND = 1e9;

const NODE_COLOURS = ['#4c7fb3', '#d98b3a', '#569c6c', '#b07aa8', '#a07a5f', '#3d9aa6', '#8d9140',
                      '#c46a77', '#6b74b8', '#7a9a8c'];
const nodeIndex = new Map(data.nodes.map((node, i) => [node, i]));
const nodeColour = (node) => NODE_COLOURS[(nodeIndex.get(node) ?? 0) % NODE_COLOURS.length];
const nodeName = (node) => node === 0 ? 'the cluster' : node === 1000 ? 'the volume' : 'node-' + node;

const nodeNames = data.nodes.map(nodeName);

const PHASES = ['No Migration', 'Setup', 'Data Transfer', 'Move', 'Canceled', 'Failure'];
const KINDS = ['violation', 'fault', 'event', 'process', 'leader', 'migration', 'client'];

// The spans, with names for their columns.
const processes = data.processes.map(([node, frozen, from, to]) => ({node, frozen, from, to}));
const leaders = data.leaders.map(([node, term, from, to]) => ({node, term, from, to}));
const owners = data.owners.map(([vm, node, epoch, from, to]) => ({vm, node, epoch, from, to}));
const executions = data.executions.map(([vm, node, from, to]) => ({vm, node, from, to}));
const phases = data.phases.map(([vm, job, source, target, phase, next, from, to]) =>
    ({vm, job, source, target, phase, next, from, to}));
const rounds = data.rounds.map(([vm, job, round, at, sent, dirty]) => ({vm, job, round, at, sent, dirty}));
const faults = data.faults.map(([id, text, nodes, from, to]) => ({id, text, nodes, from, to}));
// What was found when the run was over has no time of its own: it stands at the end.
const violations = data.violations.map(([at, rule, text]) => ({at: at || data.end, rule, text}));
const moments = data.moments.map(([at, kind, node, vm, text]) => ({at, kind, node, vm, text, words: null}));
for (const {at, rule, text} of violations) {
  if (!moments.some((moment) => moment.kind === 0 && moment.at === at && moment.text.endsWith(text))) {
    moments.push({at, kind: 0, node: 0, vm: -1, text: rule + ': ' + text, words: null});
  }
}
moments.sort((one, other) => one.at - other.at);
violations.sort((one, other) => one.at - other.at);

// Messages stay rows: there may be a hundred thousand.
const M = {TYPE: 0, FROM: 1, TO: 2, SENT: 3, GOT: 4, TERM: 5, INDEX: 6};
const longestFlight = data.messages.reduce(
    (most, m) => m[M.GOT] < 0 ? most : Math.max(most, m[M.GOT] - m[M.SENT]), 50 * MS);

const CLASSES = [
  {name: 'log', colour: '--log', on: true, has: (type) => /^(append|append-reply|snapshot.*)$/.test(type)},
  {name: 'log, empty', colour: '--other', on: false, has: (type) => type === 'append-empty'},
  {name: 'elections', colour: '--election', on: true, has: (type) => /vote/.test(type)},
  {name: 'leases', colour: '--lease', on: false, has: (type) => /^lease/.test(type)},
  {name: 'requests', colour: '--client', on: true, has: (type) => /^(forward|read|live|evidence)/.test(type)},
  {name: 'others', colour: '--other', on: true, has: () => true},
];
const classOfType = data.types.map((type) => CLASSES.findIndex((one) => one.has(type)));

// The first index whose time is not before `at`, in a list that is ordered by it.
function firstNotBefore(list, at, timeOf) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeOf(list[middle]) < at) low = middle + 1; else high = middle;
  }
  return low;
}

// Spans are half-open, but nothing follows the end of the run: what reaches it still holds there.
const covers = (time) => (span) =>
    span.from <= time && (time < span.to || (time === data.end && span.to >= data.end));
const at = (spans, time) => spans.filter(covers(time));
// Of spans that touch each other at the end of the run the later one.
const last = (spans, isWanted) => spans.filter(isWanted).pop();

// Everything that holds at one time.
function stateAt(time) {
  const leading = at(leaders, time).pop();
  const running = at(processes, time);
  return {
    leader: leading,
    nodes: data.nodes.map((node) => ({
      node,
      process: last(running, (process) => process.node === node),
      faults: at(faults, time).filter((fault) => fault.nodes.includes(node)),
    })),
    vms: data.vms.map((name, vm) => ({
      name,
      owner: last(at(owners, time), (owner) => owner.vm === vm),
      executes: at(executions, time).filter((execution) => execution.vm === vm),
      phase: last(at(phases, time), (phase) => phase.vm === vm),
    })),
  };
}

function wordsOf(moment) {
  moment.words ??= [KINDS[moment.kind], nodeName(moment.node), moment.vm < 0 ? '' : data.vms[moment.vm],
                    moment.text].join(' ').toLowerCase();
  return moment.words;
}

// "12.345 s", with as many digits as the span that is looked at can tell apart.
function timeText(time, span = SECOND) {
  const digits = span < 20e3 ? 9 : span < 20e6 ? 6 : 3;
  return (time / SECOND).toFixed(digits) + ' s';
}
function bytesText(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (bytes >= 1024 && unit + 1 < units.length) { bytes /= 1024; ++unit; }
  return (unit === 0 || bytes >= 100 ? bytes.toFixed(0) : bytes.toFixed(1)) + ' ' + units[unit];
}
