/** Runs and a server for tests: what a user's server would answer, without one. */
import type { IDisposable } from '@lumino/disposable';

import { ApiError, type Api, type IListener } from '../src/api';
import type {
  IComparison,
  IFetchRequest,
  IFetched,
  ILogMatch,
  ILogWindow,
  IOutputFile,
  IRun,
  IRunEvent,
  IRunOutputs
} from '../src/types';

/** A run as the server sends it. */
export function aRun(id: string, more: Partial<IRun> = {}): IRun {
  return {
    id,
    kind: 'notebook',
    task: '',
    name: '',
    parent: '',
    server: '',
    unattended: false,
    state: 'succeeded',
    notebook: 'work/train.ipynb',
    output: null,
    parameters: {},
    created: 1000,
    started: 1001,
    ended: 1011,
    duration: 10,
    cell: 12,
    cells: 12,
    metrics: {},
    error: null,
    sweep: '',
    point: null,
    retry_of: '',
    attempt: 1,
    place: 'here',
    job: '',
    namespace: '',
    endpoint: '',
    url: '',
    folder: `/records/${id}`,
    output_path: null,
    notebook_path: 'work/train.ipynb',
    is_active: false,
    ...more
  };
}

/** A run that goes on. */
export function anActiveRun(id: string, more: Partial<IRun> = {}): IRun {
  return aRun(id, {
    state: 'running',
    is_active: true,
    ended: null,
    duration: null,
    cell: 3,
    ...more
  });
}

/** A stream that a test speaks for. */
export interface IFakeStream<T, E> extends IDisposable {
  readonly id: string;
  readonly offset: string;
  readonly listener: IListener<T, E>;
}

/** A file that a run has written. */
export function aFile(name: string, size = 5): IOutputFile {
  return { name, size, sha256: '0'.repeat(64), modified: 1000 };
}

/** A server that has runs; tests change `all` and speak through the streams. */
export class FakeRuns {
  all: IRun[] = [];
  readonly followed: IFakeStream<IRunEvent, IRun>[] = [];
  readonly actives: IFakeStream<{ runs: IRun[]; changed: number }, never>[] = [];
  lines: string[] = [];
  logRequests: [number, number][] = [];
  logEnded = true;
  /** Lines that one search looks through. */
  step = 100;
  failure: Error | null = null;
  /** What is told of what compared runs were made of. */
  made: Pick<IComparison, 'differences' | 'unknown'> = { differences: [], unknown: [] };
  /** What a run has written; null where nothing was kept. */
  written: IOutputFile[] | null = null;
  leftOut: IRunOutputs['left_out'] = [];
  complete = true;
  /** Names of files of the user's that differ. */
  existing: string[] = [];
  /** What is rejected whatever is asked for. */
  rejected: IFetched['files'] = [];
  readonly fetches: IFetchRequest[] = [];
  /** What copying takes its time with. */
  slowly: (signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  /** The server as the models take it. */
  get api(): Api {
    return this as unknown as Api;
  }

  /** The streams that are open. */
  get open(): IFakeStream<IRunEvent, IRun>[] {
    return this.followed.filter(stream => !stream.isDisposed);
  }

  async runs(wanted: { state?: string; notebook?: string; limit?: number; offset?: number }) {
    await this._answer();
    const { state = '', notebook = '', limit = 100, offset = 0 } = wanted;
    const fits = this.all
      .filter(run => !state || (state === 'active' ? run.is_active : run.state === state))
      .filter(run => !notebook || run.notebook_path === notebook);
    return { runs: fits.slice(offset, offset + limit), total: fits.length };
  }

  async run(id: string) {
    await this._answer();
    return this._known(id);
  }

  async startRun() {
    await this._answer();
    const run = anActiveRun(`new-${this.all.length}`, { created: 9000 });
    this.all.unshift(run);
    return run;
  }

  launch() {
    return this.startRun();
  }

  async cancelRun(id: string) {
    await this._answer();
    const run = aRun(id, { state: 'cancelled' });
    this.all = this.all.map(each => (each.id === id ? run : each));
    return run;
  }

  async retryRun(id: string) {
    await this._answer();
    const run = anActiveRun(`${id}-again`, { retry_of: id, created: 9001 });
    this.all.unshift(run);
    return run;
  }

  async compare(ids: readonly string[]) {
    await this._answer();
    const runs = ids.map(id => this._known(id));
    return { runs, parameters: ['rate'], metrics: ['loss'], ...this.made };
  }

  async outputs(id: string): Promise<IRunOutputs> {
    await this._answer();
    if (this.written === null) {
      const message = `Nothing was kept: the run '${id}' has kept none.`;
      throw new ApiError(404, 'nothing-kept', message, 'See what it printed.');
    }
    const { written, leftOut, complete } = this;
    return { launch: id, where: '/records', complete, files: written, left_out: leftOut };
  }

  async fetchOutputs(_: string, request: IFetchRequest, signal: AbortSignal): Promise<IFetched> {
    this.fetches.push(request);
    await this.slowly(signal);
    await this._answer();
    const names = request.files?.length
      ? request.files
      : (this.written ?? []).map(file => file.name);
    const files = names.map(name => {
      const isKept = this.existing.includes(name) && !request.overwrite;
      return {
        name,
        size: 5,
        outcome: isKept ? ('rejected' as const) : ('fetched' as const),
        reason: isKept ? 'a different file of that name already exists' : '',
        replaceable: isKept,
        contents_path: `work/${name}`
      };
    });
    return { folder: 'work', files: [...files, ...this.rejected] };
  }

  outputUrl(id: string, name: string) {
    return `/runs/${id}/outputs/file?name=${name}`;
  }

  followRun(id: string, listener: IListener<IRunEvent, IRun>, offset = ''): IDisposable {
    return added(this.followed, { id, offset, listener });
  }

  followActive(listener: IListener<{ runs: IRun[]; changed: number }, never>): IDisposable {
    return added(this.actives, { id: '', offset: '', listener });
  }

  async log(_: string, first: number, count: number): Promise<ILogWindow> {
    this.logRequests.push([first, count]);
    await this._answer();
    const lines = this.lines.slice(first, first + count);
    return { first, lines, total: this.lines.length, ended: this.logEnded };
  }

  async searchLog(_: string, text: string, first: number, backward = false): Promise<ILogMatch> {
    await this._answer();
    const way = backward ? -1 : 1;
    for (let line = first; line !== first + way * this.step; line += way) {
      if (line < 0 || line >= this.lines.length) {
        return { line: null, scanned_to: Math.max(0, line) };
      }
      if (this.lines[line]?.toLowerCase().includes(text.toLowerCase())) {
        return { line, scanned_to: line };
      }
    }
    return { line: null, scanned_to: Math.max(0, first + way * this.step) };
  }

  logFileUrl(id: string) {
    return `/runs/${id}/log/file`;
  }

  executedUrl(id: string) {
    return `/runs/${id}/notebook`;
  }

  private _known(id: string): IRun {
    const run = this.all.find(each => each.id === id);
    if (!run) {
      throw new Error(`No run ${id}.`);
    }
    return run;
  }

  private async _answer(): Promise<void> {
    await Promise.resolve();
    if (this.failure) {
      throw this.failure;
    }
  }
}

function added<T, E>(
  streams: IFakeStream<T, E>[],
  stream: Omit<IFakeStream<T, E>, keyof IDisposable>
): IDisposable {
  const made = {
    ...stream,
    isDisposed: false,
    dispose() {
      this.isDisposed = true;
    }
  };
  streams.push(made);
  return made;
}

/** Let promises that wait for nothing but each other come to an end. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
  }
}
