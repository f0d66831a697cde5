/** Keyboard focus that is not lost when the element that has it goes away. */
import { useLayoutEffect, useRef, type ReactNode, type RefObject } from 'react';

/** What is in it hands the focus over to another element when it is taken out of the page. */
export function FocusHandover(props: {
  readonly to: RefObject<HTMLElement>;
  readonly children: ReactNode;
}): JSX.Element {
  const { to, children } = props;
  const box = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const node = box.current;
    return () => {
      // The other element as it is then, not as it was: that is what the reference is for.
      if (node?.contains(document.activeElement)) {
        // eslint-disable-next-line react-hooks/exhaustive-deps
        to.current?.focus();
      }
    };
  }, [to]);
  return (
    <span ref={box} className="jp-fairing-az-plain">
      {children}
    </span>
  );
}
