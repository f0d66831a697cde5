/** A unified diff, a line at a time. */

/** How one line of a diff is shown. */
export type DiffLineKind = 'added' | 'removed' | 'place' | 'same';

/** Tell what a line of a unified diff says. */
export function kindOfLine(line: string): DiffLineKind {
  if (/^(---|\+\+\+|@@) /.test(line)) {
    return 'place';
  }
  return line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : 'same';
}

/** A unified diff; each line keeps its `+` or `-`, so that colour is not needed to read it. */
export function Diff(props: { readonly text: string; readonly label: string }): JSX.Element {
  const lines = props.text.replace(/\n$/, '').split('\n');
  return (
    <div className="jp-fairing-az-diff" role="region" aria-label={props.label} tabIndex={0}>
      <pre>
        {lines.map((line, index) => (
          <div key={index} className={`jp-fairing-az-diff-${kindOfLine(line)}`}>
            {line || ' '}
          </div>
        ))}
      </pre>
    </div>
  );
}
