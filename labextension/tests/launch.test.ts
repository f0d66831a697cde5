import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { ApiError, type Api } from '../src/api';
import { LaunchModel } from '../src/models/launch';
import type { NotebookLink } from '../src/models/notebook';
import { RunsModel } from '../src/models/runs';
import { typedValue } from '../src/models/typed_value';
import type { ILaunchRequest, ISources, ITask } from '../src/types';
import { FakeRuns, settled } from './fake_runs';

const TASKS: ITask[] = [
  {
    task: 'n.ipynb:Trainer',
    name: 'Trainer',
    kind: 'class',
    can_train: true,
    can_deploy: false,
    reason: ''
  },
  {
    task: 'n.ipynb:Server',
    name: 'Server',
    kind: 'class',
    can_train: false,
    can_deploy: true,
    reason: 'no train()'
  }
];

class FakeNotebook {
  path = 'work/n.ipynb';
  isDirty = true;
  saved = 0;
  readonly changed = new Signal<FakeNotebook, void>(this);
  failure: Error | null = null;

  async save(): Promise<void> {
    await Promise.resolve();
    if (this.failure) {
      throw this.failure;
    }
    this.saved += 1;
    this.isDirty = false;
  }
}

class FakeServer extends FakeRuns {
  launched: ILaunchRequest[] = [];
  readonly notebook = new FakeNotebook();

  async tasks() {
    return Promise.resolve(TASKS);
  }

  async parameters() {
    const setting = {
      name: 'FAIRING_BACKEND',
      default: "'Local'",
      type: '',
      help: '',
      is_setting: true
    };
    const own = { name: 'rate', default: '0.1', type: 'float', help: '', is_setting: false };
    return Promise.resolve({ has_cell: true, parameters: [setting, own] });
  }

  async resolve() {
    return Promise.resolve({
      values: { backend: 'LocalBackend' },
      fields: [],
      errors: [],
      missing: []
    });
  }
}

let server: FakeServer;
let launch: LaunchModel;
let runs: RunsModel;
let sources: ISources;

beforeEach(() => {
  server = new FakeServer();
  const api = Object.assign(Object.create(server) as FakeServer, {
    launch: async (request: ILaunchRequest) => {
      server.launched.push({ ...request, savedBefore: server.notebook.saved } as ILaunchRequest);
      return server.startRun();
    }
  }) as unknown as Api;
  runs = new RunsModel(api);
  sources = {
    notebook: { path: 'work/n.ipynb', content: '{}' },
    profile: 'team',
    values: { namespace: 'a' }
  };
  launch = new LaunchModel(api, server.notebook as unknown as NotebookLink, () => sources, runs);
});

afterEach(() => {
  launch.dispose();
  runs.dispose();
});

test('the notebook is saved before it is launched, with the profile and the values of the form', async () => {
  await launch.refresh();
  await launch.start();
  expect(server.launched).toEqual([
    {
      kind: 'notebook',
      notebook: 'work/n.ipynb',
      profile: 'team',
      values: { namespace: 'a' },
      parameters: {},
      savedBefore: 1
    }
  ]);
});

test('a launch is shown at once and stands in the history', async () => {
  await runs.refresh();
  const run = await launch.start();
  expect(launch.launched?.id).toBe(run?.id);
  expect(runs.runs.map(each => each.id)).toContain(run?.id);
  expect(server.open.map(stream => stream.id)).toEqual([run?.id]);
});

test('nothing is launched that could not be saved', async () => {
  server.notebook.failure = new Error('read-only');
  expect(await launch.start()).toBeNull();
  expect(launch.startError?.message).toContain('read-only');
  expect(server.launched).toEqual([]);
});

test('a second click while a launch begins starts no second one', async () => {
  await Promise.all([launch.start(), launch.start()]);
  expect(server.launched).toHaveLength(1);
});

test('only values that were typed are sent, as what they mean', async () => {
  await launch.refresh();
  launch.type('rate', '1e-3');
  launch.type('FAIRING_BACKEND', 'x');
  await launch.start();
  expect(server.launched[0]?.parameters).toEqual({ rate: 0.001 });
});

test('a class that can be deployed is launched by its name, with its files', async () => {
  await launch.refresh();
  launch.choose('deploy');
  expect(launch.possible.map(task => task.name)).toEqual(['Server']);
  launch.typeFiles(' data.csv \r\n\nmodel/a b.bin\n');
  await launch.start();
  expect(server.launched[0]).toMatchObject({
    kind: 'deploy',
    task: 'Server',
    input_files: ['data.csv', 'model/a b.bin']
  });
});

test('what was typed for one notebook is not sent with another', async () => {
  await launch.refresh();
  server.notebook.changed.emit();
  launch.type('rate', '5');
  server.notebook.path = 'work/other.ipynb';
  server.notebook.changed.emit();
  await launch.start();
  expect(server.launched[0]?.parameters).toEqual({});
});

test('an error of the server is shown, and the launch can be tried again', async () => {
  server.failure = new ApiError(400, 'invalid', 'No namespace.', 'Fill it in.');
  await launch.start();
  expect(launch.startError?.hint).toBe('Fill it in.');
  server.failure = null;
  expect(await launch.start()).not.toBeNull();
  expect(launch.startError).toBeNull();
});

test('without a notebook there is nothing to launch and nothing is asked', async () => {
  server.notebook.path = '';
  sources = { notebook: null, profile: null, values: {} };
  await launch.refresh();
  expect(await launch.start()).toBeNull();
  expect([launch.tasks, launch.parameters]).toEqual([[], []]);
});

test('an answer for another notebook that comes late is dropped', async () => {
  const late = launch.refresh();
  sources = { notebook: null, profile: null, values: {} };
  await launch.refresh();
  await late;
  await settled();
  expect(launch.tasks).toEqual([]);
});

test.each([
  ['5', 'int', '', 5],
  ['5', 'str', '', '5'],
  ['[1, 2]', '', '[]', [1, 2]],
  ['False', 'bool', 'True', false],
  ['None', '', '1', null],
  ['None', 'Optional[str]', '', null],
  ['None', 'str', '', 'None'],
  ['2025', '', "'2024'", '2025'],
  ['2025', '', '2024', 2025],
  ["'abc'", '', '', 'abc'],
  ['plain words', '', '', 'plain words'],
  ['toString', '', '', 'toString'],
  [' padded ', 'str', '', ' padded '],
  ['""', 'str', '', ''],
  ['{"a": {"b": null}}', 'dict', '', { a: { b: null } }]
])('%j typed for a parameter of type %j and own value %j is %j', (text, type, own, value) => {
  const parameter = { name: 'p', type, default: own, help: '', is_setting: false };
  expect(typedValue(text, parameter)).toEqual(value);
});
