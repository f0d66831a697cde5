/** What a fill of the parameters cell will change, and the filling itself. */

import { asApiError, type Api, type ApiError } from '../api';
import type { IFillPlan, ISources } from '../types';
import type { UndoPlace } from './edits';
import { Model } from './model';
import type { NotebookLink } from './notebook';

/** How a fill has ended. */
export type FillOutcome =
  'applied' | 'nothing' | 'changed-meanwhile' | 'no-notebook' | 'read-only' | 'failed';

/** The model of 'Changes to the notebook'. */
export class FillModel extends Model {
  constructor(
    private readonly _api: Pick<Api, 'fillPlan'>,
    private readonly _notebook: NotebookLink,
    private readonly _sources: () => ISources
  ) {
    super();
  }

  /** What will change; null if there is no plan. */
  get plan(): IFillPlan | null {
    return this._plan;
  }

  /** Why there is no plan. */
  get error(): ApiError | null {
    return this._error;
  }

  /** How the last fill has ended; null once that does not count any more. */
  get outcome(): FillOutcome | null {
    return this._outcome;
  }

  /** Where undo reverts the last fill. */
  get undoPlace(): UndoPlace | null {
    return this._undoPlace;
  }

  /** Whether a fill is under way. */
  get isApplying(): boolean {
    return this._isApplying;
  }

  /** Make a new plan; an answer that comes too late is dropped. */
  async update(): Promise<void> {
    const turn = ++this._turn;
    const sources = this._sources();
    const { notebook } = sources;
    const state = this._notebook.state();
    let plan: IFillPlan | null = null;
    let error: ApiError | null = null;
    if (notebook) {
      try {
        plan = await this._api.fillPlan({ ...sources, notebook });
      } catch (caught) {
        error = asApiError(caught);
      }
    }
    if (turn !== this._turn || this.isDisposed) {
      return;
    }
    this._plan = plan;
    this._error = error;
    this._planned = plan ? fingerprint(sources, state) : '';
    const holds = plan !== null && plan.changed === (this._outcome === 'changed-meanwhile');
    if (!holds || (this._outcome !== 'applied' && this._outcome !== 'changed-meanwhile')) {
      this._outcome = null;
    }
    this._changed.emit();
  }

  /** Forget plan and outcome: another notebook was chosen. */
  clear(): void {
    this._turn += 1;
    this._plan = null;
    this._error = null;
    this._outcome = null;
    this._planned = '';
    this._changed.emit();
  }

  /**
   * Fill the notebook as the plan says.
   *
   * If the notebook or the form is not any more as the plan has seen it, a new plan is made; it is applied only if
   * it comes out the same, since nothing may change that the user has not seen.
   *
   * @param seen - Whether the user has seen the plan; false for a command, which applies whatever the plan is.
   */
  async apply(seen = true): Promise<FillOutcome> {
    if (this._isApplying) {
      return this._outcome ?? 'nothing';
    }
    this._isApplying = true;
    this._outcome = null;
    this._changed.emit();
    try {
      this._outcome = await this._apply(seen);
    } finally {
      this._isApplying = false;
    }
    if (!this.isDisposed) {
      this._changed.emit();
    }
    return this._outcome;
  }

  private async _apply(seen: boolean): Promise<FillOutcome> {
    if (!this._notebook.source()) {
      return 'no-notebook';
    }
    if (this._notebook.isReadOnly) {
      return 'read-only';
    }
    const shown = this._plan;
    if (!this._fits()) {
      await this.update();
      if (seen && shown && JSON.stringify(this._plan?.edits) !== JSON.stringify(shown.edits)) {
        return this._error ? 'failed' : 'changed-meanwhile';
      }
    }
    if (this._error) {
      return this._error.code === 'nothing-to-fill' ? 'nothing' : 'failed';
    }
    if (!this._plan || !this._fits()) {
      return 'changed-meanwhile';
    }
    if (!this._plan.changed) {
      return 'nothing';
    }
    const place = this._notebook.applyUndoably(this._plan);
    if (!place) {
      await this.update();
      return 'changed-meanwhile';
    }
    this._undoPlace = place;
    this._plan = { ...this._plan, changed: false, edits: [], diff: '' };
    this._planned = '';
    this._turn += 1;
    return 'applied';
  }

  private _fits(): boolean {
    return (
      this._plan !== null && this._planned === fingerprint(this._sources(), this._notebook.state())
    );
  }

  private _plan: IFillPlan | null = null;
  private _planned = '';
  private _error: ApiError | null = null;
  private _outcome: FillOutcome | null = null;
  private _undoPlace: UndoPlace | null = null;
  private _isApplying = false;
  private _turn = 0;
}

function fingerprint(sources: ISources, state: string): string {
  return JSON.stringify([sources.notebook?.path, sources.profile, sources.values, state]);
}
