/** What JupyterLab's modules expect of a browser and jsdom does not have; and a clean page for each test. */
import { cleanup } from '@testing-library/react';
import { afterEach } from 'vitest';

class FakeDragEvent extends MouseEvent {}

Object.defineProperty(globalThis, 'DragEvent', { value: FakeDragEvent, configurable: true });
window.matchMedia ??= query =>
  ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined
  }) as unknown as MediaQueryList;
Element.prototype.scrollIntoView ??= () => undefined;

afterEach(cleanup);
