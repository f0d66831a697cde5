/** A server, a notebook and a host that tests steer. */
import { YNotebook } from '@jupyter/ydoc';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import type { Api } from '../../src/api';
import { NotebookLink } from '../../src/models/notebook';
import { PanelModel, type IHost } from '../../src/models/panel';
import type {
  ICheckResult,
  IFieldSource,
  IFillPlan,
  IListedProfile,
  IResolved,
  ISchema,
  ISetting,
  ISources,
  Values
} from '../../src/types';

export const trans = nullTranslator.load('fairing-az-jupyter');

const SETTING = {
  description: '',
  default: null,
  examples: [],
  notebook_name: 'FAIRING_SETTING',
  cell: 'always',
  group: 'Cluster',
  rule: '',
  rule_source: '',
  needed_on: []
} as const satisfies Partial<ISetting>;

/** One setting of each kind that the form knows. */
export const SETTINGS = {
  backend: {
    ...SETTING,
    title: 'Backend',
    description: 'Where training runs.',
    group: 'Backend',
    type: 'string',
    enum: ['LocalBackend', 'KubeflowAzureBackend'],
    default: 'LocalBackend'
  },
  azure_region: {
    ...SETTING,
    title: 'Azure region',
    description: 'The region.',
    group: 'Azure',
    anyOf: [{ type: 'string' }, { type: 'null' }],
    examples: ['northeurope']
  },
  parallelism: { ...SETTING, title: 'Runs at once', type: 'integer', default: 4 },
  verbose: { ...SETTING, title: 'Say more', type: 'boolean', default: false },
  version: { ...SETTING, title: 'Version', const: 1 },
  place: { ...SETTING, title: 'Place', type: 'string', enum: ['here', 'there'] }
} as const satisfies ISchema['properties'];

export const SCHEMA: ISchema = {
  type: 'object',
  title: 'Settings',
  description: '',
  properties: SETTINGS,
  additionalProperties: false
};

/** What a fake server has in force: the defaults, and over them what is explicit. */
export function resolvedOf(sources: ISources, errors: IResolved['errors'] = []): IResolved {
  const defaults: Values = { backend: 'LocalBackend', azure_region: null, parallelism: 4 };
  const values = { ...defaults, ...sources.values };
  const fields = Object.entries(values).map(([field, value]): IFieldSource => ({
    field,
    notebook_name: field.toUpperCase(),
    value,
    source: field in sources.values ? 'argument' : 'default',
    detail: ''
  }));
  return { values, fields, errors, missing: [] };
}

/** A promise, and what ends it. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>(done => {
    resolve = done;
  });
  return { promise, resolve };
}

/** A plan that changes nothing. */
export const NO_PLAN: IFillPlan = {
  changed: false,
  before_digest: '',
  edits: [],
  warnings: [],
  diff: ''
};

/** A plan that changes one cell. */
export function planOf(before: string, after: string, index = 0): IFillPlan {
  return {
    ...NO_PLAN,
    changed: true,
    edits: [{ cell_index: index, cell_id: null, before, after, created: false }],
    diff: `--- before\n+++ after\n@@ -1 +1 @@\n-${before}\n+${after}\n`
  };
}

/** A result of a check. */
export function checkOf(more: Partial<ICheckResult> = {}): ICheckResult {
  return {
    check: 'registry.push',
    title: 'Push to the registry',
    status: 'fail',
    looked_at: 'Secret acrcreds',
    message: 'It is missing.',
    why: 'No image can be pushed.',
    fixes: [],
    fixable: false,
    code: 'missing',
    duration: 0.1,
    position: 0,
    ...more
  };
}

/** A server whose answers are those of `more`; every other request fails. */
export function fakeApi(more: Partial<Api> = {}): Api {
  const profiles: IListedProfile[] = [];
  const api: Partial<Api> = {
    schema: async () => SCHEMA,
    resolve: async sources => resolvedOf(sources),
    parameters: async () => ({ parameters: [], has_cell: true }),
    profiles: async () => ({ active: null, profiles }),
    fillPlan: async () => NO_PLAN,
    tasks: async () => [],
    runs: async () => ({ runs: [], total: 0 }),
    endpoints: async () => ({ endpoints: [], note: '' }),
    ...more
  };
  return api as Api;
}

/** A notebook with a real shared model, and a tracker that shows it. */
export function fakeNotebook(
  cells: readonly string[],
  options: { readonly wide?: boolean; readonly tag?: number } = {}
) {
  const shared = YNotebook.create({
    disableDocumentWideUndoRedo: !options.wide
  });
  cells.forEach((source, index) =>
    shared.insertCell(index, {
      cell_type: 'code',
      source,
      metadata: index === options.tag ? { tags: ['parameters'] } : {}
    })
  );
  shared.undoManager.clear();
  const owner = {};
  const signal = () => new Signal<object, unknown>(owner);
  const model = {
    sharedModel: shared,
    readOnly: false,
    dirty: false,
    toJSON: () => shared.toJSON(),
    contentChanged: signal(),
    stateChanged: signal()
  };
  const content = {
    widgets: { length: 99 },
    activeCellIndex: 0,
    mode: 'command',
    deselectAll: () => undefined,
    scrollToItem: () => Promise.resolve(),
    activate: () => undefined
  };
  const panel = {
    id: 'notebook-1',
    isDisposed: false,
    content,
    disposed: signal(),
    context: {
      path: 'work/train.ipynb',
      isReady: true,
      ready: Promise.resolve(),
      pathChanged: signal(),
      model,
      save: async () => {
        model.dirty = false;
      }
    }
  };
  const tracker = { currentWidget: panel as typeof panel | null, currentChanged: signal() };
  const link = new NotebookLink(tracker as unknown as INotebookTracker);
  return { shared, panel, tracker, link, model };
}

/** A host that keeps what it was asked for. */
export function fakeHost(more: Partial<IHost> = {}): IHost & { readonly messages: string[] } {
  const messages: string[] = [];
  return {
    messages,
    open: async () => undefined,
    confirm: async () => true,
    copy: async text => {
      messages.push(`copied: ${text}`);
    },
    download: () => undefined,
    notify: message => {
      messages.push(message);
    },
    ...more
  };
}

/** The panel's model on a fake server. */
export function fakePanel(api: Api, link: NotebookLink, host = fakeHost()): PanelModel {
  return new PanelModel(api, link, host);
}
