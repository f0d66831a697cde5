import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { act, cleanup, fireEvent, render, screen, within } from '@testing-library/react';
import axe from 'axe-core';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { ApiError } from '../src/api';
import { DeployModel } from '../src/models/deploy';
import type { PanelModel } from '../src/models/panel';
import { RunsModel } from '../src/models/runs';
import { RunsSection } from '../src/sections/runs';
import type { ITask } from '../src/types';
import { aFile, anActiveRun, aRun, FakeRuns } from './fake_runs';
import { fakeHost } from './support/fakes';

const trans = nullTranslator.load('');
const RUN = aRun('a', { kind: 'train', task: 'n.ipynb:Model' });

class Page extends FakeRuns {
  override all = [RUN];
  override written = [aFile('model.dat', 2_500_000), aFile('plots/loss.png')];
  downloaded: [string, string][] = [];
  asked: string[] = [];
  isSure = true;

  async tasks(): Promise<ITask[]> {
    const can = { can_train: true, can_deploy: true, reason: '' };
    return Promise.resolve([{ task: 'n.ipynb:Model', name: 'Model', kind: 'class', ...can }]);
  }

  async resolve() {
    const values = { backend: 'LocalBackend' };
    return Promise.resolve({ values, fields: [], errors: [], missing: [] });
  }

  readonly host = fakeHost({
    confirm: async (_, body) => {
      this.asked.push(body);
      return Promise.resolve(this.isSure);
    },
    download: (url, name) => this.downloaded.push([url, name])
  });
}

let page: Page;
let model: PanelModel;

beforeEach(() => {
  page = new Page();
  const changed = new Signal<unknown, void>({});
  const notebook = { path: '', changed, save: async () => undefined };
  const runs = new RunsModel(page.api);
  const sources = () => ({ notebook: null, profile: null, values: {} });
  const deploy = new DeployModel(page.api, notebook as never, sources, runs);
  model = { host: page.host, notebook, runs, deploy } as unknown as PanelModel;
});

afterEach(() => {
  cleanup();
  model.runs.dispose();
});

async function waited(milliseconds = 30): Promise<void> {
  await act(async () => new Promise(resolve => setTimeout(resolve, milliseconds)));
}

async function opened(): Promise<HTMLElement> {
  model.runs.select('a');
  const { container } = render(<RunsSection model={model} trans={trans} />);
  await waited();
  return container;
}

function files(): HTMLElement {
  return screen.getByRole('region', { name: 'Files' });
}

function names(): (string | null)[] {
  return within(files())
    .getAllByRole('listitem')
    .map(item => item.firstElementChild?.textContent ?? null);
}

function press(name: string | RegExp): void {
  fireEvent.click(within(files()).getByRole('button', { name }));
}

async function mistakes(container: HTMLElement): Promise<string[]> {
  const off = { enabled: false };
  const rules = { 'color-contrast': off, region: off, 'heading-order': off };
  const { violations } = await axe.run(container, { rules });
  return violations.map(each => `${each.id}: ${each.nodes.map(node => node.html).join(' | ')}`);
}

test('the files of a training are listed with their sizes, and downloaded by name', async () => {
  const container = await opened();
  expect(names()).toEqual(['model.dat', 'plots/loss.png']);
  expect(within(files()).getByText('2.5 MB')).toBeTruthy();
  expect(await mistakes(container)).toEqual([]);
  press('Download plots/loss.png');
  await waited();
  expect(page.downloaded).toEqual([['/runs/a/outputs/file?name=plots/loss.png', 'loss.png']]);
});

test('a file is copied, and the message says where it is', async () => {
  await opened();
  press('Copy model.dat to the notebook’s folder');
  await waited();
  expect(page.fetches).toEqual([{ files: ['model.dat'], folder: null }]);
  expect(within(files()).getByText(/model\.dat copied to “work”\./)).toBeTruthy();
});

test('before a file is replaced the dialog names it, and after a no it is said to be kept', async () => {
  page.existing = ['model.dat'];
  page.isSure = false;
  const container = await opened();
  press('Copy all to the notebook’s folder');
  await waited();
  expect(page.asked[0]).toContain('in “work” already: model.dat');
  expect(page.fetches).toHaveLength(1);
  expect(files().textContent).toContain('plots/loss.png copied to “work”.');
  expect(files().textContent).toContain('Your own model.dat was kept as it is.');
  expect(await mistakes(container)).toEqual([]);
});

test('what takes long can be cancelled, and the focus stays among the files', async () => {
  page.slowly = async signal =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
  const container = await opened();
  within(files())
    .getByRole('button', { name: /^Copy all/ })
    .focus();
  press(/^Copy all/);
  await waited();
  expect(within(files()).getByText('Copying 2 files, 2.5 MB…')).toBeTruthy();
  expect(files().contains(document.activeElement)).toBe(true);
  expect(await mistakes(container)).toEqual([]);
  press('Cancel copying');
  await waited();
  expect(within(files()).getByText(/Copying was cancelled/)).toBeTruthy();
  expect(files().contains(document.activeElement)).toBe(true);
});

test('ten thousand files are shown a page at a time and found by name', async () => {
  page.written = Array.from({ length: 10_000 }, (_, at) => aFile(`part-${at}.bin`));
  const container = await opened();
  expect(names()).toHaveLength(10);
  expect(within(files()).getByText('1–10 of 10000')).toBeTruthy();
  press('Next');
  expect(names()[0]).toBe('part-10.bin');
  fireEvent.change(within(files()).getByRole('searchbox'), { target: { value: 'PART-999' } });
  expect(within(files()).getByText('1–10 of 11')).toBeTruthy();
  press('Next');
  expect(names()).toEqual(['part-9999.bin']);
  expect(await mistakes(container)).toEqual([]);
});

test('an error of the server is shown once, with what to do', async () => {
  await opened();
  page.failure = new ApiError(503, 'no-storage', 'No storage account.', 'Set one under Settings.');
  press(/^Copy all/);
  await waited();
  expect(screen.getAllByText(/No storage account\./)).toHaveLength(1);
  expect(within(files()).getByText('Set one under Settings.')).toBeTruthy();
});

test('a run that goes on gets its files when it has ended', async () => {
  page.all = [anActiveRun('a', { kind: 'train' })];
  const { written } = page;
  page.written = null as never;
  await opened();
  expect(within(files()).getByText('Files are kept when the run ends.')).toBeTruthy();
  expect(screen.queryByRole('button', { name: 'Deploy this model' })).toBeNull();
  page.written = written;
  act(() => page.open[0]?.listener.onEnd?.(RUN));
  await waited(200);
  expect(names()).toHaveLength(2);
  expect(screen.getByRole('button', { name: 'Deploy this model' })).toBeTruthy();
});

test('a notebook that ran on this machine has no such list: its files are where it put them', async () => {
  page.all = [aRun('a')];
  await opened();
  expect(screen.queryByRole('region', { name: 'Files' })).toBeNull();
});

test('what a training wrote is deployed by the keyboard, and the launch is shown', async () => {
  const container = await opened();
  const button = screen.getByRole('button', { name: 'Deploy this model' });
  button.focus();
  fireEvent.click(button);
  await waited();
  const form = screen.getByRole('group', { name: 'Deploy this model' });
  expect(within(form).getByText('Runs on this machine.')).toBeTruthy();
  expect(await mistakes(container)).toEqual([]);
  fireEvent.keyDown(within(form).getByRole('combobox'), { key: 'Escape' });
  expect(screen.queryByRole('group', { name: 'Deploy this model' })).toBeNull();
  expect(document.activeElement).toBe(button);
  fireEvent.click(button);
  await waited();
  fireEvent.click(screen.getByRole('button', { name: 'Deploy' }));
  await waited(200);
  expect(model.runs.selected?.id).toMatch(/^new-/);
});
