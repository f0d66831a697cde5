/** The model of the section 'Runs': the history, the runs that are active, and the one that is looked at. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { asApiError, type Api, type ApiError } from '../api';
import type { IComparison, IRun, IRunRequest, Json, RunsState } from '../types';
import { Model } from './model';
import { OutputsModel } from './outputs';
import { isOlder, RunWatch } from './run_watch';

/** Runs that are asked for at once, and at most. */
const PAGE = 100;
const MOST = 1000;
/** Runs whose events and lists of files are kept after they were looked at. */
const MOST_WATCHES = 10;

/** Filter runs. */
export interface IRunFilter {
  /** A state, `active` for waiting and running, or empty for all. */
  readonly state: RunsState;
  /** The contents path of the notebook that was run, or empty for all. */
  readonly notebook: string;
}

/** The states that runs can be listed by, in the order in which a user chooses among them. */
export const RUN_STATES = [
  'running',
  'waiting',
  'succeeded',
  'failed',
  'cancelled',
  'lost'
] as const satisfies readonly RunsState[];

/** Whether a text names the runs that can be listed. */
export function isRunsState(text: unknown): text is RunsState {
  return ['', 'active', ...RUN_STATES].some(state => state === text);
}

/** What outlives a reload of the page. */
export interface IRunsState {
  readonly selected: string;
  readonly state: string;
}

/** The model of the section 'Runs'. */
export class RunsModel extends Model {
  constructor(readonly api: Api) {
    super();
  }

  /** Emitted when the runs that are active have changed. */
  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  /** The runs that are active, the newest first. */
  get active(): readonly IRun[] {
    return this._active;
  }

  /** The runs that are listed, the newest first; as many as were loaded. */
  get runs(): readonly IRun[] {
    return this._runs;
  }

  /** How many runs the filter lets through. */
  get total(): number {
    return this._total;
  }

  /** Filter runs. */
  get filter(): IRunFilter {
    return this._filter;
  }

  /** Whether runs are being loaded. */
  get isLoading(): boolean {
    return this._isLoading;
  }

  /** Whether the history was loaded. */
  get isReady(): boolean {
    return this._isReady;
  }

  /** Why the history could not be got, or is not up to date; null if it is. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Whether the active runs come in; false while the stream reconnects. */
  get isConnected(): boolean {
    return this._isConnected;
  }

  /** The run that is looked at; null if none. */
  get selected(): RunWatch | null {
    return this._selected;
  }

  /** The runs that were chosen to be compared. */
  get chosen(): ReadonlySet<string> {
    return this._chosen;
  }

  /** The chosen runs beside each other; null if they are not shown. */
  get comparison(): IComparison | null {
    return this._comparison;
  }

  /** Why something that was asked for was not done; null if it was. */
  get actionError(): ApiError | null {
    return this._actionError;
  }

  /** Follow the active runs; more than once does no harm. */
  connect(): void {
    if (this._stream || this.isDisposed || this._isPaused) {
      return;
    }
    this._wantsActive = true;
    this._stream = this.api.followActive({
      onItem: ({ runs }) => this._onActive(runs),
      onError: error => {
        this._stream = null;
        this._error = error;
        this._changed.emit();
      },
      onState: connected => {
        this._isConnected = connected;
        this._changed.emit();
      }
    });
  }

  /** Let go of the connections while nobody sees the page; browsers have few of them for all tabs. */
  pause(paused: boolean): void {
    this._isPaused = paused;
    if (paused) {
      this._stream?.dispose();
      this._stream = null;
    } else if (this._wantsActive) {
      this.connect();
    }
    for (const watch of this._watches.values()) {
      watch.pause(paused);
    }
  }

  /** Reload the history. */
  async refresh(): Promise<void> {
    this._error = null;
    if (this._wantsActive) {
      this.connect();
    }
    await this._load(0, PAGE);
  }

  /** Load more of the history; `all` loads as much as the server gives at once. */
  async loadMore(all = false): Promise<void> {
    if (!this._isLoading && this._runs.length < this._total) {
      await this._load(this._runs.length, all ? MOST : PAGE);
    }
  }

  /** List other runs. */
  async setFilter(filter: Partial<IRunFilter>): Promise<void> {
    const after = { ...this._filter, ...filter };
    if (after.state === this._filter.state && after.notebook === this._filter.notebook) {
      return;
    }
    this._filter = after;
    this._runs = [];
    this._total = 0;
    this._isReady = false;
    await this._load(0, PAGE);
  }

  /** Run a notebook, and look at the run. */
  async start(request: IRunRequest): Promise<IRun> {
    const run = await this.api.startRun(request);
    this.add(run);
    this.select(run.id);
    return run;
  }

  /** Add a run that was started outside of this list. */
  add(run: IRun): void {
    this._merge([run]);
    this._changed.emit();
  }

  /** Look at a run, or at none. */
  select(id: string | null): void {
    if (id === (this._selected?.id ?? null)) {
      return;
    }
    this._held?.dispose();
    this._selected = id === null ? null : this.watch(id);
    this._held = this._selected?.hold() ?? null;
    this._actionError = null;
    this._changed.emit();
  }

  /** One run to look at; hold it to keep it up to date. */
  watch(id: string): RunWatch {
    const known = this._watches.get(id);
    const watch = known ?? new RunWatch(this.api, id, this._find(id));
    this._watches.delete(id);
    this._watches.set(id, watch);
    if (!known) {
      watch.pause(this._isPaused);
      watch.updated.connect(this._onUpdated, this);
      for (const [other, old] of this._watches) {
        if (this._watches.size > MOST_WATCHES && !old.isHeld && other !== id) {
          this._watches.delete(other);
          old.dispose();
        }
      }
    }
    return watch;
  }

  /** The files that a run has written; what is being copied is known also after another run was looked at. */
  outputs(id: string): OutputsModel {
    const outputs = this._outputs.get(id) ?? new OutputsModel(this.api, id);
    this._outputs.delete(id);
    this._outputs.set(id, outputs);
    for (const [other, old] of this._outputs) {
      if (this._outputs.size > MOST_WATCHES && !old.copying && other !== id) {
        this._outputs.delete(other);
        old.dispose();
      }
    }
    return outputs;
  }

  /** Ask a run to stop. */
  async cancel(id: string): Promise<void> {
    await this._ask(async () => this._take(await this.api.cancelRun(id)));
  }

  /** Repeat a run, and look at the new one. */
  async retry(id: string): Promise<IRun | null> {
    return this._ask(async () => {
      const run = await this.api.retryRun(id);
      this.followOn(id, run);
      return run;
    });
  }

  /** Add a run that was made of another one, and look at it where that one was looked at. */
  followOn(id: string, run: IRun): void {
    this.add(run);
    if (this._selected?.id === id) {
      this.select(run.id);
    }
  }

  /** Choose a run to be compared, or not. */
  choose(id: string, chosen: boolean): void {
    const after = new Set(this._chosen);
    if (chosen) {
      after.add(id);
    } else {
      after.delete(id);
    }
    this._chosen = after;
    this._changed.emit();
  }

  /** Choose none any more. */
  chooseNone(): void {
    this._chosen = new Set();
    this._changed.emit();
  }

  /** Put runs beside each other; none of them closes the comparison. */
  async compare(ids: readonly string[]): Promise<void> {
    if (!ids.length) {
      this._comparison = null;
      this._actionError = null;
      this._changed.emit();
      return;
    }
    await this._ask(async () => {
      this._comparison = await this.api.compare(ids);
    });
  }

  /** What outlives a reload of the page, as plain data. */
  get state(): IRunsState {
    return { selected: this._selected?.id ?? '', state: this._filter.state };
  }

  /** Take up what was there before a reload; anything that is not a state is passed over. */
  restore(state: Json | undefined): void {
    if (typeof state !== 'object' || state === null || Array.isArray(state)) {
      return;
    }
    const { selected, state: wanted } = state as { readonly [name: string]: Json };
    if (isRunsState(wanted)) {
      this._filter = { ...this._filter, state: wanted };
    }
    if (typeof selected === 'string' && selected) {
      this.select(selected);
    }
  }

  /** Let everything go. */
  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    super.dispose();
    this._stream?.dispose();
    for (const watch of this._watches.values()) {
      watch.dispose();
    }
    this._watches.clear();
    for (const outputs of this._outputs.values()) {
      outputs.dispose();
    }
    this._outputs.clear();
  }

  private async _load(offset: number, limit: number): Promise<void> {
    const turn = ++this._turn;
    this._isLoading = true;
    this._changed.emit();
    try {
      const found = await this.api.runs({ ...this._filter, limit, offset });
      if (turn !== this._turn || this.isDisposed) {
        return;
      }
      const known = new Set(this._runs.map(run => run.id));
      this._runs = offset
        ? [...this._runs, ...found.runs.filter(run => !known.has(run.id))]
        : found.runs;
      // A page without a new run is the last one, whatever the count says.
      const isLast = offset > 0 && !found.runs.some(run => !known.has(run.id));
      this._total = isLast ? this._runs.length : found.total;
      this._isReady = true;
      this._error = null;
      this._merge(this._active);
    } catch (error) {
      if (turn === this._turn) {
        this._error = asApiError(error);
      }
    }
    if (turn === this._turn && !this.isDisposed) {
      this._isLoading = false;
      this._changed.emit();
    }
  }

  private _onActive(active: readonly IRun[]): void {
    const now = new Set(active.map(run => run.id));
    const before = [...this._active, ...this._runs.filter(run => run.is_active)];
    const gone = new Set(before.map(run => run.id).filter(id => !now.has(id)));
    this._active = [...active].sort((a, b) => b.created - a.created);
    this._merge(active);
    for (const id of gone) {
      void this.api.run(id).then(
        run => this._take(run),
        () => undefined
      );
    }
    this._activeChanged.emit();
    this._changed.emit();
  }

  private _onUpdated(_: RunWatch, run: IRun): void {
    this._take(run);
  }

  private _take(run: IRun): void {
    if (!this.isDisposed) {
      this._merge([run]);
      this._changed.emit();
    }
  }

  /** Put what is known of runs into the list, and let go of those that the filter does not want any more. */
  private _merge(news: readonly IRun[]): void {
    const wanted = (run: IRun) => {
      const { state, notebook } = this._filter;
      const fits = state === '' || (state === 'active' ? run.is_active : run.state === state);
      return fits && (notebook === '' || run.notebook_path === notebook);
    };
    const listed = new Map(this._runs.map(run => [run.id, run]));
    const current = news.filter(run => {
      const known = listed.get(run.id);
      return !known || !isOlder(run, known);
    });
    const byId = new Map(current.map(run => [run.id, run]));
    const kept = this._runs
      .map(run => byId.get(run.id) ?? run)
      .filter(run => !byId.has(run.id) || wanted(run));
    const added = this._isReady ? current.filter(run => !listed.has(run.id) && wanted(run)) : [];
    this._total += added.length - (this._runs.length - kept.length);
    this._runs = added.length ? [...kept, ...added].sort((a, b) => b.created - a.created) : kept;
    for (const run of current) {
      this._watches.get(run.id)?.update(run);
    }
  }

  private _find(id: string): IRun | null {
    return [...this._active, ...this._runs].find(run => run.id === id) ?? null;
  }

  private async _ask<T>(action: () => Promise<T>): Promise<T | null> {
    this._actionError = null;
    try {
      return await action();
    } catch (error) {
      this._actionError = asApiError(error);
      return null;
    } finally {
      if (!this.isDisposed) {
        this._changed.emit();
      }
    }
  }

  private readonly _activeChanged = new Signal<this, void>(this);
  private readonly _watches = new Map<string, RunWatch>();
  private readonly _outputs = new Map<string, OutputsModel>();
  private _active: readonly IRun[] = [];
  private _runs: readonly IRun[] = [];
  private _total = 0;
  private _filter: IRunFilter = { state: '', notebook: '' };
  private _chosen: ReadonlySet<string> = new Set<string>();
  private _comparison: IComparison | null = null;
  private _selected: RunWatch | null = null;
  private _held: IDisposable | null = null;
  private _stream: IDisposable | null = null;
  private _error: ApiError | null = null;
  private _actionError: ApiError | null = null;
  private _turn = 0;
  private _isLoading = false;
  private _isReady = false;
  private _isConnected = true;
  private _isPaused = false;
  private _wantsActive = false;
}
