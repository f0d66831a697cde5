import { nullTranslator } from '@jupyterlab/translation';
import { fireEvent, render, screen } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';

import { Boundary } from '../src/parts/boundary';

const trans = nullTranslator.load('fairing-az-jupyter');

describe('Boundary', () => {
  it('shows an error for a section that fails to render, and draws it when that works again', () => {
    const quiet = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    let broken = true;
    const Section = () => {
      if (broken) {
        throw new TypeError('no such thing');
      }
      return <p>all is well</p>;
    };
    render(
      <Boundary trans={trans}>
        <Section />
      </Boundary>
    );
    expect(screen.getByRole('alert').textContent).toContain('no such thing');

    broken = false;
    fireEvent.click(screen.getByRole('button'));

    expect(screen.getByText('all is well')).toBeTruthy();
    quiet.mockRestore();
  });
});
