/** Whatever the panel shows has gone through the translator, but for the user's own names and data. */
import { nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { act, fireEvent, render } from '@testing-library/react';
import { expect, test } from 'vitest';

import { ApiError, type Api, type StreamListener } from '../src/api';
import { Panel } from '../src/panel';
import { errorText, serverText } from '../src/parts/server_text';
import type { PanelModel } from '../src/models/panel';
import { SECTIONS } from '../src/tokens';
import type { CheckStatus, IEndpoint, ITask } from '../src/types';
import { FakeRuns, aFile, aRun, anActiveRun, settled } from './fake_runs';
import {
  checkOf,
  fakeNotebook,
  fakePanel,
  planOf,
  resolvedOf,
  SCHEMA,
  trans
} from './support/fakes';

/** Names, paths, code and values of the user, and words of commands. */
const DATA = [
  'work/train.ipynb',
  'train.ipynb',
  'team-a',
  'ALPHA',
  'float',
  'how fast',
  'Trainer',
  'Server',
  'LocalBackend',
  'KubeflowAzureBackend',
  'here',
  'there',
  'housing',
  'http://20.1.2.3/predict',
  'Secret acrcreds',
  'fairing-azure secrets create --acr',
  'fairing-azure runs show run-1a2b',
  'kubectl get secrets',
  'run-1a2b',
  'another',
  'me',
  'loss',
  'rate',
  'x = 1',
  'a line of the log',
  'Pulling',
  '--- before',
  '+++ after',
  '-A = 1',
  '+A = 2',
  'azure_region',
  'model.dat',
  'plots/',
  'loss.png',
  'big.bin',
  '.hidden',
  '1a2b',
  'xgboost',
  '3.1.1',
  'ames.csv',
  'FAIRING_SETTING'
];

/** A bundle that puts what it has translated between brackets. */
function marking(): TranslationBundle {
  const marked = (text: string) => `⟦${text}⟧`;
  return Object.assign(Object.create(trans) as TranslationBundle, {
    __: (text: string, ...values: string[]) => marked(trans.__(text, ...values)),
    _n: (one: string, many: string, count: number, ...values: string[]) =>
      marked(trans._n(one, many, count, ...values))
  });
}

/** What of a text has not gone through the translator, and is no data. */
function untranslated(text: string): string {
  // Times are as the browser's language has them.
  let rest = text.replace(/^\d+:\d\d:\d\d [AP]M$/, '');
  for (let before = ''; before !== rest;) {
    before = rest;
    rest = rest.replace(/⟦[^⟦⟧]*⟧/g, '');
  }
  const longestFirst = [...DATA].sort((a, b) => b.length - a.length);
  return longestFirst.reduce((left, known) => left.replaceAll(known, ''), rest).trim();
}

/** All texts of a page: what is read, and what is read out. */
function textsOf(page: Element): string[] {
  const shown = ['title', 'aria-label', 'placeholder', 'alt', 'aria-valuetext', 'aria-description'];
  return [page, ...page.querySelectorAll('*')].flatMap(element => [
    ...[...element.childNodes]
      .filter(node => node.nodeType === Node.TEXT_NODE)
      .map(node => node.textContent ?? ''),
    ...shown.map(name => element.getAttribute(name) ?? '')
  ]);
}

function wrong(page: Element): string[] {
  return textsOf(page).filter(text => /\p{L}/u.test(untranslated(text)));
}

const TASKS: ITask[] = [
  {
    task: 'n:Trainer',
    name: 'Trainer',
    kind: 'class',
    can_train: true,
    can_deploy: false,
    reason: 'It has no method predict().'
  },
  {
    task: 'n:Server',
    name: 'Server',
    kind: 'class',
    can_train: false,
    can_deploy: true,
    reason: 'It has no method train().'
  }
];

const ENDPOINT: IEndpoint = {
  name: 'housing',
  state: 'pending',
  place: 'cluster',
  namespace: 'team-a',
  url: 'http://20.1.2.3/predict',
  public: true,
  created: '2026-01-01T00:00:00Z',
  detail: 'No pod is ready.',
  image: '',
  owner: 'me',
  run: 'run-1a2b'
};

const RUN = aRun('run-1a2b', {
  kind: 'train',
  task: 'n:Trainer',
  state: 'failed',
  place: 'cluster',
  parameters: { rate: 1 },
  metrics: { loss: 0.5 },
  endpoint: 'housing',
  url: 'http://20.1.2.3/predict',
  retry_of: 'another',
  error: { message: 'The cell has failed.', hint: 'Look at its code.', cell: 3, source: 'x = 1' }
});

/** A server on which there is something of everything. */
class FullServer extends FakeRuns {
  checks: StreamListener<'checks/{check}/events'>[] = [];
  override all = [RUN, anActiveRun('another')];
  override lines = ['a line of the log'];
  override written = [aFile('model.dat'), aFile('plots/loss.png')];
  override leftOut = (['limit', 'pattern', 'unreadable', 'changed'] as const).map((reason, at) => ({
    path: `${at}/big.bin`,
    size: 5e9,
    reason
  }));
  override existing = ['model.dat'];
  override complete = false;
  override rejected = [
    {
      name: '.hidden',
      size: 1,
      outcome: 'rejected' as const,
      reason: 'it is hidden',
      replaceable: false,
      contents_path: null
    }
  ];
  override made = {
    differences: (['code', 'data', 'image', 'packages', 'settings'] as const).map(aspect => ({
      aspect,
      name: aspect === 'code' || aspect === 'image' ? 'digest' : 'xgboost',
      change: 'changed' as const,
      values: ['3.1.1', null]
    })),
    unknown: ['another']
  };

  schema = async () => {
    const named = Object.entries(SCHEMA.properties).map(([name, property]) => [
      name,
      { ...property, description: 'What it is for.' }
    ]);
    return { ...SCHEMA, properties: Object.fromEntries(named) as typeof SCHEMA.properties };
  };
  resolve: Api['resolve'] = async sources => {
    const hint = 'See the list of regions.';
    const message = 'It is not a region.';
    const error = { field: 'azure_region', message, hint, suggestion: '' };
    const other = { ...error, field: '', message: 'The profile is broken.' };
    return { ...resolvedOf(sources, [error, other]), missing: ['azure_region'] };
  };
  profiles = async () => ({
    active: 'team-a',
    profiles: [{ name: 'team-a', values: {}, problem: 'The file is not TOML.' }]
  });
  parameters = async () => ({
    has_cell: true,
    parameters: [
      { name: 'ALPHA', default: '0.5', type: 'float', help: 'how fast', is_setting: false }
    ]
  });
  fillPlan = async () => ({ ...planOf('A = 1', 'A = 2'), warnings: ['A cell is locked.'] });
  tasks = async () => TASKS;
  endpoints = async () => ({ endpoints: [ENDPOINT], note: 'The cluster does not answer.' });
  startCheck = async () => 'a';
  cancelCheck = async () => undefined;
  followCheck: Api['followCheck'] = (_, listener) => {
    this.checks.push(listener);
    return { isDisposed: false, dispose: () => undefined };
  };
}

async function drawn(model: PanelModel): Promise<Element> {
  for (const section of SECTIONS) {
    model.toggle(section, true);
  }
  const { container } = render(<Panel model={model} trans={marking()} />);
  await act(async () => {
    await model.settings.load();
    await model.settings.update();
    await settled();
  });
  return container;
}

/** Open all that is closed. */
function unfold(page: Element): void {
  for (const details of page.querySelectorAll('details')) {
    details.open = true;
    fireEvent(details, new Event('toggle'));
  }
}

test('all that the panel shows of a full server has gone through the translator', async () => {
  const server = new FullServer();
  const model = fakePanel(server.api, fakeNotebook(['A = 1'], { tag: 0 }).link);
  const page = await drawn(model);
  await act(async () => {
    model.launch.choose('train');
    model.runs.select('run-1a2b');
    await model.runs.compare(['run-1a2b', 'another']);
    await model.runs.outputs('run-1a2b').refresh();
    await model.runs.outputs('run-1a2b').copy([], null, async () => false);
    await model.deploy.open(RUN);
    await model.checks.start();
    const statuses: CheckStatus[] = ['fail', 'pass', 'warn', 'skipped', 'unknown'];
    statuses.forEach((status, position) =>
      server.checks[0]?.onItem(
        checkOf({
          check: `check-${position}`,
          status,
          position,
          fixable: true,
          fixes: [
            { tool: 'fairing-azure', command: 'fairing-azure secrets create --acr' },
            { tool: 'kubectl', command: 'kubectl get secrets' },
            { tool: 'text', command: 'Ask who runs the cluster.' }
          ]
        }),
        ''
      )
    );
    model.checks.openFix('check-0');
    const events = server.followed.find(stream => stream.id === 'run-1a2b')?.listener;
    events?.onItem({ kind: 'phase', time: 1, name: 'build', value: 'failed', message: 'No.' }, '1');
    events?.onItem({ kind: 'pod-event', time: 2, name: 'housing', value: 'Pulling' }, '2');
    events?.onItem({ kind: 'cell-started', time: 3, cell: 1, cells: 2, text: 'x = 1' }, '3');
    await new Promise(resolve => setTimeout(resolve, 300));
  });
  const openers = ['⟦Log⟧', '⟦Test call⟧', '⟦Save as…⟧'];
  for (const button of page.querySelectorAll('button')) {
    if (openers.includes(button.textContent ?? '')) {
      fireEvent.click(button);
    }
  }
  await act(async () => new Promise(resolve => setTimeout(resolve, 300)));
  act(() => unfold(page));
  const seen = textsOf(page).join(' ');
  // What this test is about is there at all.
  for (const text of [
    ...['Runs at once', 'What it is for.', 'It is not a region.', 'The profile is broken.'],
    ...['The file is not TOML.', 'A cell is locked.', 'It has no method predict().'],
    ...['No pod is ready.', 'The cluster does not answer.', 'The cell has failed.', 'No.'],
    ...['it is hidden', '5.0\u00a0GB', 'Deploy this model'],
    ...['Push to the registry', 'It is missing.', 'Ask who runs the cluster.', 'Client secret']
  ]) {
    expect(seen).toContain(`⟦${text}⟧`);
  }
  expect(wrong(page)).toEqual([]);
  model.dispose();
});

test('all that the panel shows of a server that rejects everything has gone through the translator', async () => {
  const field = { field: 'azure_region', message: 'It is not a region.', hint: '', suggestion: '' };
  const rejected = new ApiError(409, 'no', 'It can not be.', 'Do something else first.', [field]);
  const api = new Proxy({} as Api, {
    get: (_, name) =>
      String(name).startsWith('follow')
        ? (...given: unknown[]) => {
            (given.at(-1) as StreamListener<'active-runs/events'>).onError?.(rejected);
            return { isDisposed: false, dispose: () => undefined };
          }
        : () => Promise.reject(rejected)
  });
  const model = fakePanel(api, fakeNotebook(['A = 1']).link);
  const page = await drawn(model);
  await act(() => model.checks.start());
  expect(textsOf(page).join(' ')).toContain('⟦It can not be.⟧');
  expect(wrong(page)).toEqual([]);
  model.dispose();
});

test('all that the panel shows without a notebook has gone through the translator', async () => {
  const { link, tracker } = fakeNotebook([]);
  tracker.currentWidget = null;
  const model = fakePanel(new FullServer().api, link);
  expect(wrong(await drawn(model))).toEqual([]);
  model.dispose();
});

test('a text of the server that is none for the translator stays as it is', () => {
  const marks = marking();
  expect(serverText('', marks)).toBe('');
  expect(serverText('Type %%fairing_azure run %1', marks)).toBe('Type %%fairing_azure run %1');
  expect(errorText(new ApiError(400, 'no', 'It can not be.', ''), marks)).toBe('⟦It can not be.⟧');
  expect(serverText('Namespace', nullTranslator.load(''))).toBe('Namespace');
});
