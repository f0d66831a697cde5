import { Signal } from '@lumino/signaling';
import { beforeEach, expect, test } from 'vitest';

import { ApiError } from '../src/api';
import { DeployModel } from '../src/models/deploy';
import type { NotebookLink } from '../src/models/notebook';
import { RunsModel } from '../src/models/runs';
import type { ILaunchRequest, INotebookSource, ITask } from '../src/types';
import { aRun, anActiveRun, FakeRuns } from './fake_runs';

const PATH = 'work/n.ipynb';
const RUN = aRun('a', { kind: 'train', task: 'n.ipynb:Model', notebook_path: PATH });

function aTask(name: string, can: Partial<ITask> = {}): ITask {
  const task = `n.ipynb:${name}`;
  return { task, name, kind: 'class', can_train: true, can_deploy: true, reason: '', ...can };
}

class FakeServer extends FakeRuns {
  classes = [aTask('Other'), aTask('Trainer', { can_deploy: false }), aTask('Model')];
  launched: ILaunchRequest[] = [];
  read: INotebookSource[] = [];

  async tasks(notebook: INotebookSource) {
    this.read.push(notebook);
    return Promise.resolve(this.classes);
  }

  async resolve() {
    return Promise.resolve({ values: {}, fields: [], errors: [], missing: [] });
  }

  override async launch(request?: ILaunchRequest) {
    if (request) {
      this.launched.push(request);
    }
    return this.startRun();
  }
}

let server: FakeServer;
let runs: RunsModel;
let deploy: DeployModel;
let saved: number;

beforeEach(() => {
  server = new FakeServer();
  saved = 0;
  const notebook = {
    path: PATH,
    changed: new Signal<unknown, void>({}),
    save: async () => {
      saved += 1;
      return Promise.resolve();
    }
  };
  runs = new RunsModel(server.api);
  const sources = () => ({
    notebook: { path: 'other.ipynb', content: '{}' },
    profile: 'team-a',
    values: { backend: 'LocalBackend' }
  });
  deploy = new DeployModel(server.api, notebook as unknown as NotebookLink, sources, runs);
});

test('the class that was trained is deployed with the files of its run', async () => {
  await deploy.open(RUN);
  expect(server.read).toEqual([{ path: PATH, content: null }]);
  expect(deploy.tasks.map(task => task.name)).toEqual(['Other', 'Model']);
  expect(deploy.task).toBe('Model');
  server.all = [RUN];
  runs.select('a');
  const started = await deploy.start();
  expect(server.launched).toEqual([
    {
      kind: 'deploy',
      notebook: PATH,
      task: 'Model',
      profile: 'team-a',
      values: { backend: 'LocalBackend' },
      from_job: 'a'
    }
  ]);
  expect(saved).toBe(1);
  expect(runs.selected?.id).toBe(started?.id);
  expect(deploy.run).toBeNull();
});

test('another class is deployed where the trained one can’t be', async () => {
  server.classes = [aTask('Server'), aTask('Model', { can_deploy: false })];
  await deploy.open(RUN);
  expect(deploy.task).toBe('Server');
});

test('nothing is launched of a notebook without a class to deploy', async () => {
  server.classes = [];
  await deploy.open(RUN);
  expect(await deploy.start()).toBeNull();
  expect(server.launched).toEqual([]);
});

test('an error of the server is shown and the form stays', async () => {
  await deploy.open(RUN);
  server.failure = new ApiError(422, 'no', 'It can not be.', 'Do something else.');
  expect(await deploy.start()).toBeNull();
  expect(deploy.error?.message).toBe('It can not be.');
  expect(deploy.run?.id).toBe('a');
});

test('only what a training that has ended wrote can be deployed, and only with its notebook', () => {
  expect(DeployModel.isPossible(RUN)).toBe(true);
  expect(DeployModel.isPossible({ ...RUN, notebook_path: null })).toBe(false);
  expect(DeployModel.isPossible(anActiveRun('a', { kind: 'train' }))).toBe(false);
  expect(DeployModel.isPossible(aRun('a'))).toBe(false);
});
