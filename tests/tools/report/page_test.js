'use strict';
// What the page says of a moment: the model alone, without a browser.
//
//   node page_test.js MODEL
const assert = require('node:assert');
const fs = require('node:fs');
const vm = require('node:vm');

// A run of two nodes: node-2 dies at 4 s; the run ends at 10 s with a violation without a time.
const END = 10e9;
const run = {
  end: END, nodes: [1, 2], vms: ['web'], types: [], rules: [], messages: [], rounds: [], moments: [],
  processes: [[1, 0, 0, END], [2, 0, 0, 4e9]],
  leaders: [[1, 3, 1e9, END]],
  owners: [[0, 2, '0.1', 1e9, 5e9], [0, 1, '1.0', 5e9, END]],
  executions: [[0, 1, 5e9, END]],
  phases: [[0, 7, 1, 2, 2, 2, 9e9, END]],
  faults: [[1, 'kill node-2', [2], 4e9, END]],
  violations: [[0, 'expect', 'vm(web).state == Saved did not come true']],
};

const page = vm.createContext({document: {getElementById: () => ({textContent: JSON.stringify(run)})}});
vm.runInContext(fs.readFileSync(process.argv[2], 'utf8'), page);
const ask = (text) => vm.runInContext(text, page);

const atTheEnd = ask('stateAt(violations[0].at)');
assert.equal(ask('violations[0].at'), END);
assert.ok(atTheEnd.nodes[0].process, 'node-1 is up at the end');
assert.equal(atTheEnd.nodes[1].process, undefined, 'node-2 is down at the end');
assert.equal(atTheEnd.nodes[1].faults.length, 1, 'the fault of node-2 is not over');
assert.equal(atTheEnd.leader.node, 1, 'node-1 leads at the end');
assert.equal(atTheEnd.vms[0].owner.node, 1, 'web exists at the end');
assert.equal(atTheEnd.vms[0].executes.length, 1, 'web executes at the end');
assert.equal(atTheEnd.vms[0].phase.phase, 2, 'web is migrating at the end');

// Before the end a span does not hold at the moment at which it is over.
const atTheFailover = ask('stateAt(5e9)');
assert.equal(atTheFailover.vms[0].owner.node, 1, 'web has its new owner');
assert.equal(ask('stateAt(4e9)').nodes[1].process, undefined, 'node-2 is down when it dies');

// What touches the end: the later one holds.
ask('owners.push({vm: 0, node: 2, epoch: "2.0", from: data.end, to: data.end})');
assert.equal(ask('stateAt(data.end)').vms[0].owner.node, 2, 'web has changed its owner at the end');
