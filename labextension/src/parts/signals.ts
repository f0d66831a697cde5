/** Signals of models as hooks of components. */
import type { ISignal } from '@lumino/signaling';
import { useEffect, useReducer } from 'react';

/** Render the component anew when one of the signals is emitted. */
export function useSignals(...signals: readonly ISignal<unknown, unknown>[]): void {
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const onChanged = () => render();
    for (const signal of signals) {
      signal.connect(onChanged);
    }
    return () => {
      for (const signal of signals) {
        signal.disconnect(onChanged);
      }
    };
    // The signals themselves are what it depends on; their number never changes at one place of use.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, signals);
}
