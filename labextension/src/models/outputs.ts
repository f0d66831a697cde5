/** What one run has written: the list of its files, and copying them to where the user works. */
import { asApiError, type Api, type ApiError } from '../api';
import type { IFetched, IFetchedFile, IOutputFile, IRunOutputs } from '../types';
import { Model } from './model';

/** Files that one request names at most; all of them need no names. */
const MOST_NAMES = 10_000;

/** What of the server's routes the files of a run need. */
export type OutputsApi = Pick<Api, 'outputs' | 'fetchOutputs' | 'outputUrl'>;

/** The files that are being copied. */
export interface ICopying {
  /** The name of the only file, or empty for several. */
  readonly name: string;
  readonly count: number;
  readonly size: number;
  /** When it was begun, in seconds since 1970. */
  readonly since: number;
}

/** The files that one run has written. */
export class OutputsModel extends Model {
  constructor(
    private readonly _api: OutputsApi,
    readonly id: string
  ) {
    super();
  }

  /** What the run has written; null before it is known. */
  get listed(): IRunOutputs | null {
    return this._listed;
  }

  /** The files, in the order in which the server lists them. */
  get files(): readonly IOutputFile[] {
    return this._listed?.files ?? [];
  }

  /** Whether the list is being loaded. */
  get isLoading(): boolean {
    return this._isLoading;
  }

  /** Why nothing was kept, as the server says it; null where something was, or that is not known. */
  get nothing(): ApiError | null {
    return this._error?.code === 'nothing-kept' ? this._error : null;
  }

  /** Why the list could not be got, or a file not be copied; null if it could. */
  get error(): ApiError | null {
    return this.nothing ? null : this._error;
  }

  /** What is being copied; null if nothing is. */
  get copying(): ICopying | null {
    return this._copying;
  }

  /** Whether the last copying was cancelled. */
  get wasCancelled(): boolean {
    return this._wasCancelled;
  }

  /** What the last copying has done; null before it has ended, and after it was cancelled. */
  get copied(): IFetched | null {
    return this._copied;
  }

  /** Load the list; false if that fails. */
  async refresh(): Promise<boolean> {
    const turn = ++this._turn;
    this._isLoading = true;
    this._emit();
    let error: ApiError | null = null;
    try {
      const listed = await this._api.outputs(this.id);
      if (turn === this._turn) {
        this._listed = listed;
      }
    } catch (reason) {
      error = asApiError(reason);
      if (turn === this._turn && error.code === 'nothing-kept') {
        this._listed = null;
      }
    }
    if (turn === this._turn) {
      this._error = error;
      this._isLoading = false;
      this._emit();
    }
    return error === null;
  }

  /**
   * Copy files. Those that exist and differ are replaced only if `confirm` says so, which is asked once for all.
   *
   * @param names - The files; none for all.
   * @param folder - A folder of Jupyter's contents; null for the notebook's.
   * @param confirm - Asks the user whether files may be replaced.
   */
  async copy(
    names: readonly string[],
    folder: string | null,
    confirm: (files: readonly IFetchedFile[], folder: string) => Promise<boolean>
  ): Promise<void> {
    if (this._copying) {
      return;
    }
    const wanted = names.length ? this.files.filter(file => names.includes(file.name)) : this.files;
    const controller = new AbortController();
    this._controller = controller;
    this._copying = {
      name: wanted.length === 1 ? (wanted[0]?.name ?? '') : '',
      count: wanted.length,
      size: wanted.reduce((sum, file) => sum + file.size, 0),
      since: Date.now() / 1000
    };
    this._copied = null;
    this._wasCancelled = false;
    this._error = null;
    this._emit();
    try {
      const request = { files: names, folder };
      let found = await this._api.fetchOutputs(this.id, request, controller.signal);
      const existing = found.files.filter(file => file.replaceable);
      if (existing.length && !this.isDisposed && (await confirm(existing, found.folder))) {
        const again = existing.length > MOST_NAMES ? names : existing.map(file => file.name);
        const replaced = await this._api.fetchOutputs(
          this.id,
          { ...request, files: again, overwrite: true },
          controller.signal
        );
        const news = new Map(replaced.files.map(file => [file.name, file]));
        const taken = new Set(existing.map(file => file.name));
        found = {
          ...found,
          files: found.files.map(file =>
            taken.has(file.name) ? (news.get(file.name) ?? file) : file
          )
        };
      }
      this._copied = found;
    } catch (error) {
      this._wasCancelled = controller.signal.aborted;
      this._error = this._wasCancelled ? null : asApiError(error);
    }
    this._copying = null;
    this._controller = null;
    this._emit();
  }

  /** Stop copying; files that are there already stay. */
  cancel(): void {
    this._controller?.abort();
  }

  /** Where a browser downloads a file; null if it is there no more, and then `error` says why. */
  async urlOf(name: string): Promise<string | null> {
    // A download that fails says nothing to the user: what would make it fail is asked for before.
    if (!(await this.refresh()) || !this.files.some(file => file.name === name)) {
      return null;
    }
    return this._api.outputUrl(this.id, name);
  }

  private _emit(): void {
    if (!this.isDisposed) {
      this._changed.emit();
    }
  }

  private _listed: IRunOutputs | null = null;
  private _error: ApiError | null = null;
  private _isLoading = false;
  private _turn = 0;
  private _copying: ICopying | null = null;
  private _copied: IFetched | null = null;
  private _wasCancelled = false;
  private _controller: AbortController | null = null;
}
