/** Names and their values as a table: parameters, metrics. */
import type { Json, Values } from '../types';

/** A value as a person reads it: a text as it is, everything else as JSON. */
export function shownValue(value: Json | undefined): string {
  if (value === undefined) {
    return '–';
  }
  if (typeof value === 'number' && !Number.isInteger(value)) {
    return String(Number(value.toPrecision(6)));
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Names and their values; nothing if there are none. */
export function ValuesTable(props: {
  readonly caption: string;
  readonly values: Values;
}): JSX.Element | null {
  const { caption, values } = props;
  const names = Object.keys(values);
  if (!names.length) {
    return null;
  }
  return (
    <table className="jp-fairing-az-figures jp-fairing-az-values">
      <caption>{caption}</caption>
      <tbody>
        {names.map(name => (
          <tr key={name}>
            <th scope="row" title={name}>
              {name}
            </th>
            <td title={JSON.stringify(values[name])}>{shownValue(values[name])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
