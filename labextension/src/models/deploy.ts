/** Deploying what a run has trained: the classes of its notebook, where it will run, and the launch. */
import { asApiError, type Api, type ApiError } from '../api';
import type { ILaunchRequest, IResolved, IRun, ISources, ITask } from '../types';
import { Model } from './model';
import type { NotebookLink } from './notebook';
import type { RunsModel } from './runs';

/** The deployment of the files of one run, before it is launched. */
export class DeployModel extends Model {
  constructor(
    private readonly _api: Api,
    private readonly _notebook: NotebookLink,
    private readonly _sources: () => ISources,
    private readonly _runs: RunsModel
  ) {
    super();
  }

  /** The run whose files are to be deployed; null if none is. */
  get run(): IRun | null {
    return this._run;
  }

  /** The classes of its notebook that can be deployed. */
  get tasks(): readonly ITask[] {
    return this._tasks;
  }

  /** The class that is deployed; empty if there is none. */
  get task(): string {
    return this._task;
  }

  /** The settings in force; null before they are known. */
  get resolved(): IResolved | null {
    return this._resolved;
  }

  /** Whether the notebook is being looked at. */
  get isLoading(): boolean {
    return this._isLoading;
  }

  /** Whether the launch is being started. */
  get isStarting(): boolean {
    return this._isStarting;
  }

  /** Why the notebook could not be looked at, or nothing was launched; null if it was. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Whether what a run has trained can be deployed from here: that needs its notebook. */
  static isPossible(run: IRun): boolean {
    return run.kind === 'train' && !run.is_active && run.notebook_path !== null;
  }

  /** Look at the notebook of a run; the class that was trained is chosen, if it can be deployed. */
  async open(run: IRun): Promise<void> {
    const turn = ++this._turn;
    this._run = run;
    this._tasks = [];
    this._task = '';
    this._resolved = null;
    this._error = null;
    this._isLoading = true;
    this._changed.emit();
    const notebook = { path: run.notebook_path ?? '', content: null };
    const [tasks, resolved] = await Promise.allSettled([
      this._api.tasks(notebook),
      this._api.resolve({ ...this._sources(), notebook })
    ]);
    if (turn !== this._turn || this.isDisposed) {
      return;
    }
    if (tasks.status === 'fulfilled') {
      const trained = run.task.split(':').at(-1);
      this._tasks = tasks.value.filter(task => task.can_deploy);
      const chosen = this._tasks.find(task => task.name === trained) ?? this._tasks[0];
      this._task = chosen?.name ?? '';
    }
    this._resolved = resolved.status === 'fulfilled' ? resolved.value : null;
    const failed = [tasks, resolved].find(answer => answer.status === 'rejected');
    this._error = failed ? asApiError(failed.reason) : null;
    this._isLoading = false;
    this._changed.emit();
  }

  /** Deploy nothing. */
  close(): void {
    this._turn += 1;
    this._run = null;
    this._isLoading = false;
    this._changed.emit();
  }

  /** Choose the class. */
  choose(name: string): void {
    this._task = name;
    this._changed.emit();
  }

  /** Deploy the class with the files of the run; null if that fails. */
  async start(): Promise<IRun | null> {
    const run = this._run;
    const notebook = run?.notebook_path;
    if (!run || !notebook || !this._task || this._isStarting) {
      return null;
    }
    this._isStarting = true;
    this._error = null;
    this._changed.emit();
    try {
      if (this._notebook.path === notebook) {
        await this._notebook.save();
      }
      const { profile, values } = this._sources();
      const request: ILaunchRequest = {
        kind: 'deploy',
        notebook,
        profile,
        values,
        task: this._task,
        from_job: run.id
      };
      const started = await this._api.launch(request);
      this._runs.followOn(run.id, started);
      this._run = null;
      return started;
    } catch (error) {
      this._error = asApiError(error);
      return null;
    } finally {
      this._isStarting = false;
      if (!this.isDisposed) {
        this._changed.emit();
      }
    }
  }

  private _run: IRun | null = null;
  private _tasks: readonly ITask[] = [];
  private _task = '';
  private _resolved: IResolved | null = null;
  private _error: ApiError | null = null;
  private _isLoading = false;
  private _isStarting = false;
  private _turn = 0;
}
