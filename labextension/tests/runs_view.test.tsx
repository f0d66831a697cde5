import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { act, cleanup, fireEvent, render, screen, within } from '@testing-library/react';
import axe from 'axe-core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { DeployModel } from '../src/models/deploy';
import { EndpointsModel } from '../src/models/endpoints';
import type { IHost, PanelModel } from '../src/models/panel';
import { LaunchModel } from '../src/models/launch';
import { RunsModel } from '../src/models/runs';
import { LogPane } from '../src/parts/log_view';
import { StatusItem, statusText } from '../src/plugins/status';
import { EndpointsSection } from '../src/sections/endpoints';
import { LaunchSection } from '../src/sections/launch';
import { RunsSection } from '../src/sections/runs';
import { aRun, anActiveRun, FakeRuns } from './fake_runs';

const trans = nullTranslator.load('');
const sources = () => ({
  notebook: { path: 'work/train.ipynb', content: '{}' },
  profile: null,
  values: {}
});

class Page extends FakeRuns {
  opened: string[] = [];
  downloaded: string[] = [];
  copied: string[] = [];
  isSure = true;
  deployed = [
    {
      name: 'housing',
      state: 'ready',
      place: 'cluster',
      namespace: 'team-a',
      url: 'http://20.1.2.3/predict',
      public: true,
      created: '2026-01-01T00:00:00Z',
      detail: '',
      image: '',
      owner: 'me',
      run: 'r1'
    }
  ];

  async tasks() {
    const train = {
      task: 'n:T',
      name: 'Trainer',
      kind: 'class',
      can_train: true,
      can_deploy: false,
      reason: 'No predict().'
    };
    return Promise.resolve([train]);
  }

  async parameters() {
    const rate = {
      name: 'rate',
      default: '0.1',
      type: 'float',
      help: 'how fast',
      is_setting: false
    };
    return Promise.resolve({ has_cell: true, parameters: [rate] });
  }

  async resolve() {
    const values = { backend: 'KubeflowAzureBackend', namespace: 'team-a' };
    return Promise.resolve({ values, fields: [], errors: [], missing: ['registry'] });
  }

  async endpoints() {
    return Promise.resolve({ endpoints: this.deployed, note: '' });
  }

  async predict() {
    return Promise.resolve({
      endpoint: 'housing',
      url: '',
      values: [4.5, 1.25],
      latency: 0.0123,
      status: 200
    });
  }

  async deleteEndpoint() {
    this.deployed = [];
    return Promise.resolve({ deleted: 'housing' });
  }

  readonly host: IHost = {
    open: async path => {
      this.opened.push(path);
      await Promise.resolve();
    },
    confirm: async () => Promise.resolve(this.isSure),
    copy: async text => {
      this.copied.push(text);
      await Promise.resolve();
    },
    download: url => this.downloaded.push(url),
    notify: () => undefined
  };
}

let page: Page;
let model: PanelModel;

beforeEach(() => {
  page = new Page();
  const notebook = {
    path: 'work/train.ipynb',
    isDirty: true,
    changed: new Signal<unknown, void>({}),
    save: async () => {}
  };
  const runs = new RunsModel(page.api);
  const settings = { changed: new Signal<unknown, void>({}) };
  const launch = new LaunchModel(page.api, notebook as never, sources, runs);
  const deploy = new DeployModel(page.api, notebook as never, sources, runs);
  const endpoints = new EndpointsModel(page.api, sources);
  model = {
    api: page.api,
    host: page.host,
    notebook,
    runs,
    settings,
    launch,
    deploy,
    endpoints
  } as unknown as PanelModel;
});

afterEach(() => {
  cleanup();
  model.runs.dispose();
  vi.useRealTimers();
});

async function shown(element: JSX.Element): Promise<HTMLElement> {
  const { container } = render(element);
  await act(async () => new Promise(resolve => setTimeout(resolve, 30)));
  return container;
}

async function waited(milliseconds = 150): Promise<void> {
  await act(async () => new Promise(resolve => setTimeout(resolve, milliseconds)));
}

async function mistakes(container: HTMLElement): Promise<string[]> {
  // What needs a layout is judged in a real browser.
  const rules = {
    'color-contrast': { enabled: false },
    region: { enabled: false },
    'heading-order': { enabled: false }
  };
  const { violations } = await axe.run(container, { rules });
  return violations.map(each => `${each.id}: ${each.nodes.map(node => node.html).join(' | ')}`);
}

test('an empty history says how to begin', async () => {
  const container = await shown(<RunsSection model={model} trans={trans} />);
  expect(screen.getByText(/No runs yet/)).toBeTruthy();
  expect(await mistakes(container)).toEqual([]);
});

test('ten thousand runs stand in the page only as far as they are seen', async () => {
  page.all = Array.from({ length: 10_000 }, (_, at) => aRun(`r${at}`, { created: 20_000 - at }));
  await shown(<RunsSection model={model} trans={trans} />);
  const grid = screen.getByRole('grid');
  fireEvent.keyDown(grid, { key: 'End' });
  await waited(400);
  expect(grid.getAttribute('aria-rowcount')).toBe('10000');
  expect(within(grid).getAllByRole('row').length).toBeLessThan(30);
  expect(grid.getAttribute('aria-activedescendant')).toContain('r9999');
});

test('the keyboard shows a run and chooses runs to compare', async () => {
  page.all = [
    aRun('a', { parameters: { rate: 1 }, metrics: { loss: 0.5 } }),
    aRun('b', { parameters: { rate: 2 }, created: 900 })
  ];
  const container = await shown(<RunsSection model={model} trans={trans} />);
  const grid = screen.getByRole('grid');
  fireEvent.keyDown(grid, { key: ' ' });
  fireEvent.keyDown(grid, { key: 'ArrowDown' });
  fireEvent.keyDown(grid, { key: ' ' });
  fireEvent.click(screen.getByRole('button', { name: 'Compare 2 runs' }));
  await waited();
  const table = screen.getByRole('table');
  expect(
    within(table)
      .getAllByRole('row')
      .map(row => row.textContent)
  ).toContain('rate12');
  expect(screen.getByText('Code, data, image, packages and settings are the same.')).toBeTruthy();
  expect(await mistakes(container)).toEqual([]);
  fireEvent.keyDown(grid, { key: 'Enter' });
  await waited();
  expect(screen.getByRole('heading', { name: 'train.ipynb' })).toBeTruthy();
});

test('what compared runs were made of is shown where it differs', async () => {
  const digests = ['sha256:0123456789abcdef', 'sha256:fedcba9876543210'];
  page.made = {
    differences: [
      { aspect: 'code', name: 'digest', change: 'changed', values: digests },
      {
        aspect: 'data',
        name: 'ames.csv',
        change: 'added',
        values: [null, `${'a'.repeat(64)} 2000`]
      },
      { aspect: 'packages', name: 'xgboost', change: 'changed', values: ['3.0.0', '3.1.1'] }
    ],
    unknown: []
  };
  page.all = [aRun('a'), aRun('b')];
  await model.runs.compare(['a', 'b']);
  const container = await shown(<RunsSection model={model} trans={trans} />);
  const rows = within(screen.getByRole('table'))
    .getAllByRole('row')
    .map(row => row.textContent);
  expect(rows).toContain('digest0123456789abfedcba987654');
  expect(rows).toContain('ames.csv–aaaaaaaaaaaa (2.0\u00a0kB)');
  expect(rows).toContain('xgboost3.0.03.1.1');
  expect(screen.getByText('The same: image, settings.')).toBeTruthy();
  expect(await mistakes(container)).toEqual([]);
});

test('a row says name, state, age, duration and result, or the last line of the error', async () => {
  const message = "The job failed.\n  | Traceback\n  |   File 'x'\n  | ValueError: no rows\n  | ";
  page.all = [
    aRun('20260101-1a2b', {
      kind: 'train',
      task: 'n.ipynb:Housing',
      metrics: { rmse: 0.25, n: 3 }
    }),
    aRun('20260101-3c4d', { name: 'nightly', state: 'failed', error: { message } }),
    aRun('20260101-5e6f', { kind: 'deploy', task: 'n.ipynb:Housing', endpoint: 'housing' })
  ];
  await shown(<RunsSection model={model} trans={trans} />);
  const rows = screen
    .getAllByRole('row')
    .map(row => row.textContent?.replace(/(succeeded|failed).* ago · /, '$1'));
  expect(rows).toEqual([
    'train Housing succeeded10 s · rmse=0.25, n=31a2b',
    'nightly failed10 s · ValueError: no rows3c4d',
    'deploy Housing succeeded10 s · housing5e6f'
  ]);
});

test('a run that failed says where and why, without codes for colours', async () => {
  page.all = [
    aRun('a', {
      state: 'failed',
      error: {
        code: 'cell-failed',
        message: 'ZeroDivisionError',
        hint: 'Look at cell 3.',
        cell: 3,
        traceback: ['\u001b[31mTraceback\u001b[0m', '<b>1/0</b>']
      }
    })
  ];
  model.runs.select('a');
  const container = await shown(<RunsSection model={model} trans={trans} />);
  expect(screen.getByText('Error in cell 3:')).toBeTruthy();
  expect(screen.getByText('Look at cell 3.')).toBeTruthy();
  expect(container.querySelector('pre')?.textContent).toBe('Traceback\n<b>1/0</b>');
  expect(await mistakes(container)).toEqual([]);
});

test('an active run shows its cell, its bar and its metrics as they come', async () => {
  page.all = [anActiveRun('a')];
  model.runs.select('a');
  const container = await shown(<RunsSection model={model} trans={trans} />);
  const { listener } = page.open[0] ?? {};
  listener?.onItem({ kind: 'cell-started', time: 1, cell: 5, cells: 12, text: 'model.fit()' }, '1');
  listener?.onItem({ kind: 'metric', time: 2, name: 'loss', value: 0.25 }, '2');
  await waited();
  expect(screen.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('4');
  expect(screen.getByText('model.fit()')).toBeTruthy();
  expect(screen.getByRole('row', { name: 'loss 0.25' })).toBeTruthy();
  expect(await mistakes(container)).toEqual([]);
});

test('the focus is not lost when a run ends whose cancel button has it', async () => {
  page.all = [anActiveRun('a')];
  model.runs.select('a');
  await shown(<RunsSection model={model} trans={trans} />);
  const cancel = screen.getByRole('button', { name: 'Cancel' });
  cancel.focus();
  fireEvent.click(cancel);
  await waited();
  expect(screen.queryByRole('button', { name: 'Cancel' })).toBeNull();
  expect(document.activeElement?.tagName).toBe('H3');
});

test('the result opens where Jupyter can see it, else it is downloaded', async () => {
  page.all = [aRun('a', { output_path: 'out/a.ipynb' }), aRun('b', { created: 900 })];
  model.runs.select('a');
  await shown(<RunsSection model={model} trans={trans} />);
  fireEvent.click(screen.getByRole('button', { name: 'Open result' }));
  expect(page.opened).toEqual(['out/a.ipynb']);
  act(() => model.runs.select('b'));
  await waited();
  fireEvent.click(screen.getByRole('button', { name: 'Download result' }));
  expect(page.downloaded).toEqual(['/runs/b/notebook']);
});

test('Escape closes a run and brings the focus back to the list', async () => {
  page.all = [aRun('a')];
  model.runs.select('a');
  await shown(<RunsSection model={model} trans={trans} />);
  fireEvent.keyDown(screen.getByRole('button', { name: 'Close the run' }), { key: 'Escape' });
  await waited();
  expect(screen.queryByRole('heading', { name: 'train.ipynb' })).toBeNull();
  expect(document.activeElement?.getAttribute('role')).toBe('grid');
});

test('the lines of a log are text, and a match is marked', async () => {
  page.lines = Array.from({ length: 5000 }, (_, at) =>
    at === 3000 ? '<img src=x> Needle' : `line ${at}`
  );
  const container = await shown(
    <LogPane api={page.api} id="a" host={page.host} trans={trans} onClose={() => undefined} />
  );
  const box = screen.getByRole('searchbox', { name: 'Search the log' });
  fireEvent.change(box, { target: { value: 'needle' } });
  fireEvent.keyDown(box, { key: 'Enter' });
  // React draws at the end of each wait: the match is revealed in the first, its lines come in the second.
  await waited();
  await waited();
  expect(container.querySelector('mark')?.textContent).toBe('Needle');
  expect(container.querySelector('.jp-mod-match')?.textContent).toBe('<img src=x> Needle');
  expect(container.querySelector('img')).toBeNull();
  expect(screen.getByText(/^Line 3001/)).toBeTruthy();
  expect(container.querySelectorAll('[data-line]').length).toBeLessThan(100);
  expect(await mistakes(container)).toEqual([]);
});

test('a log stays at its end until one goes up, and again after End', async () => {
  page.lines = Array.from({ length: 500 }, (_, at) => `line ${at}`);
  page.logEnded = false;
  await shown(
    <LogPane api={page.api} id="a" host={page.host} trans={trans} onClose={() => undefined} />
  );
  const lines = screen.getByRole('log');
  const follow = screen.getByRole('button', { name: 'Follow the log' });
  await waited();
  expect(screen.getByText('line 499')).toBeTruthy();
  fireEvent.keyDown(lines, { key: 'Home' });
  expect(follow.getAttribute('aria-pressed')).toBe('false');
  await waited();
  expect(screen.getByText('line 0')).toBeTruthy();
  fireEvent.keyDown(lines, { key: 'End' });
  expect(follow.getAttribute('aria-pressed')).toBe('true');
});

test('a launch says what, where and what is missing, and shows its time line', async () => {
  const container = await shown(<LaunchSection model={model} trans={trans} />);
  expect(screen.getByText('Runs in the cluster, namespace team-a.')).toBeTruthy();
  expect(screen.getByText(/Missing: registry/)).toBeTruthy();
  expect(screen.getByLabelText(/^rate/)).toBeTruthy();
  fireEvent.click(screen.getByRole('radio', { name: 'Deploy a class' }));
  expect(screen.getByText('No predict().')).toBeTruthy();
  expect(
    screen.getByRole('button', { name: 'Save and launch' }).getAttribute('aria-disabled')
  ).toBe('true');
  fireEvent.click(screen.getByRole('radio', { name: 'Train a class' }));
  expect(await mistakes(container)).toEqual([]);
  fireEvent.click(screen.getByRole('button', { name: 'Save and launch' }));
  await waited();
  const { listener } = page.open[0] ?? {};
  listener?.onItem(
    { kind: 'phase', time: 1, name: 'build', value: 'started', message: 'kaniko' },
    '1'
  );
  listener?.onItem({ kind: 'pod-event', time: 2, name: 'pod-1', value: 'Pulling' }, '2');
  await waited();
  const phases = screen.getByRole('list', { name: 'Phases of the launch' });
  expect(within(phases).getByText('Build image')).toBeTruthy();
  expect(screen.getByText(/Pulling/)).toBeTruthy();
  expect(await mistakes(container)).toEqual([]);
});

test('an endpoint is tried with a sample row and deleted only when one is sure', async () => {
  const container = await shown(<EndpointsSection model={model} trans={trans} />);
  expect(screen.getByText(/anyone who has this address/)).toBeTruthy();
  fireEvent.click(screen.getByRole('button', { name: 'Test call' }));
  fireEvent.change(screen.getByLabelText('Sample rows'), { target: { value: '[[1]]' } });
  fireEvent.click(screen.getByRole('button', { name: 'Predict' }));
  await waited();
  expect(screen.getByText('Answered in 0.012 s.')).toBeTruthy();
  expect(within(screen.getByRole('group', { name: 'Predictions' })).getByText('4.5')).toBeTruthy();
  expect(await mistakes(container)).toEqual([]);
  page.isSure = false;
  fireEvent.click(screen.getByRole('button', { name: 'Delete' }));
  await waited();
  expect(screen.getByRole('heading', { name: 'housing' })).toBeTruthy();
  page.isSure = true;
  fireEvent.click(screen.getByRole('button', { name: 'Delete' }));
  await waited();
  expect(screen.getByText(/No endpoints yet/)).toBeTruthy();
  expect(document.activeElement?.getAttribute('aria-label')).toBe('Refresh the list of endpoints');
});

test('the status bar shows active runs, and shows them by mouse and keyboard', async () => {
  expect(statusText([], trans)).toBe('');
  expect(statusText([anActiveRun('a'), anActiveRun('b')], trans)).toBe('2 runs: train.ipynb 3/12');
  let asked = 0;
  await shown(<StatusItem runs={model.runs} trans={trans} onClick={() => (asked += 1)} />);
  expect(screen.queryByRole('button')).toBeNull();
  model.runs.connect();
  act(() => page.actives[0]?.listener.onItem({ runs: [anActiveRun('a')], changed: 1 }, '1'));
  const item = screen.getByRole('button');
  expect(item.textContent).toBe('1 run: train.ipynb 3/12');
  fireEvent.click(item);
  fireEvent.keyDown(item, { key: 'Enter' });
  expect(asked).toBe(2);
});
