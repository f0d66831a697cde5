/** Parts of the panel that the keyboard scrolls, or closes by Escape. */
import type { ReactNode } from 'react';

/** A part that scrolls by itself; without a mouse it is scrolled by keys, so it takes the focus. */
export function ScrollRegion(props: {
  readonly label: string;
  readonly className: string;
  readonly children: ReactNode;
}): JSX.Element {
  const { label, className, children } = props;
  return (
    // WCAG 2.1.1: what scrolls must be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={className} role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}

/** A part that Escape closes, wherever in it the focus is. */
export function Closable(props: {
  readonly label?: string;
  readonly labelledBy?: string;
  readonly className: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}): JSX.Element {
  const { label, labelledBy, className, onClose, children } = props;
  return (
    // The keys are those of the elements in it; the part itself takes no focus.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      className={className}
      role="group"
      aria-label={label}
      aria-labelledby={labelledBy}
      onKeyDown={event => {
        if (event.key === 'Escape' && !event.defaultPrevented) {
          event.preventDefault();
          event.stopPropagation();
          onClose();
        }
      }}
    >
      {children}
    </div>
  );
}
