/** Keeps a mistake in one section from taking the whole panel away. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Component, type ReactNode } from 'react';

import { ApiError, asApiError } from '../api';
import { ErrorAlert } from './error_alert';

interface IProps {
  readonly trans: TranslationBundle;
  readonly children: ReactNode;
}

interface IState {
  readonly error: unknown;
}

/** Shows its children, or that they can't be drawn. */
export class Boundary extends Component<IProps, IState> {
  static getDerivedStateFromError(error: unknown): IState {
    return { error };
  }

  override state: IState = { error: null };

  override render(): ReactNode {
    const { trans, children } = this.props;
    if (this.state.error === null) {
      return children;
    }
    const shown = new ApiError(
      0,
      'panel',
      trans.__('This section can’t be shown (%1).', asApiError(this.state.error).message),
      trans.__('Try again. If it fails again, report it as a bug.')
    );
    return (
      <ErrorAlert error={shown} trans={trans} onRetry={() => this.setState({ error: null })} />
    );
  }
}
