/** What a run has written: its files, a page at a time, to be copied and downloaded. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';
import { useId, useRef, useState } from 'react';

import type { OutputsModel } from '../models/outputs';
import type { IHost } from '../models/panel';
import type { IFetched, IFetchedFile, ILeftOut, IOutputFile, IRun } from '../types';
import { ErrorAlert } from './error_alert';
import { FocusHandover } from './kept_focus';
import { Message } from './message';
import { Icon } from './run_state';
import { serverText } from './server_text';
import { readableSize } from './sizes';
import { span, useNow } from './times';

/** Files that are shown at once: beyond that one turns the pages, or looks for a name. */
export const PAGE = 10;
/** Names that a sentence holds at most. */
const MOST_NAMES = 5;

/** What the files get. */
export interface IRunFilesProps {
  readonly run: IRun;
  readonly outputs: OutputsModel;
  readonly host: IHost;
  readonly trans: TranslationBundle;
}

/** The files that a run has written. */
export function RunFiles(props: IRunFilesProps): JSX.Element {
  const { run, outputs, host, trans } = props;
  const id = useId();
  const heading = useRef<HTMLHeadingElement>(null);
  const { files, listed } = outputs;
  // Where a run's notebook is not among the files that Jupyter shows, its folder is not either.
  const folder = run.notebook_path === null ? '' : null;
  const copy = (names: readonly string[]) =>
    void outputs.copy(names, folder, async (existing, into) =>
      host.confirm(
        trans.__('Replace files?'),
        trans._n(
          'A different file is in %2 already: %3. Replace it with the one of this run? This can’t be undone.',
          'Different files are in %2 already: %3. Replace these %1 files with those of this run? This can’t be undone.',
          existing.length,
          folderName(into, trans),
          namesOf(existing, trans)
        ),
        trans.__('Replace')
      )
    );
  const download = async (file: IOutputFile) => {
    const url = await outputs.urlOf(file.name);
    if (url !== null) {
      host.download(url, file.name.split('/').at(-1) ?? file.name);
    }
  };
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return (
    <section className="jp-fairing-az-files" aria-labelledby={`${id}-heading`}>
      <div className="jp-fairing-az-run-line">
        <h4 id={`${id}-heading`} ref={heading} tabIndex={-1}>
          {trans.__('Files')}
        </h4>
        <span className="jp-fairing-az-tools">
          {files.length > 0 && (
            <span className="jp-fairing-az-quiet">
              {trans._n('%1 file', '%1 files', files.length)} · {readableSize(size, trans)}
            </span>
          )}
          <button
            type="button"
            className="jp-fairing-az-tool"
            title={trans.__('Refresh')}
            aria-label={trans.__('Refresh the list of files')}
            onClick={() => void outputs.refresh()}
          >
            <Icon icon={refreshIcon} />
          </button>
        </span>
      </div>
      <p role="status" className="jp-fairing-az-quiet">
        {state(run, outputs, trans)}
      </p>
      {files.length > 0 && (
        <>
          <Pages
            files={files}
            isBusy={outputs.copying !== null}
            target={targetName(run, trans)}
            trans={trans}
            onCopy={name => copy([name])}
            onDownload={file => void download(file)}
          />
          <div className="jp-fairing-az-actions">
            {outputs.copying ? (
              <FocusHandover key="cancel" to={heading}>
                <button
                  type="button"
                  className="jp-mod-styled"
                  onClick={() => {
                    outputs.cancel();
                  }}
                >
                  {trans.__('Cancel copying')}
                </button>
              </FocusHandover>
            ) : (
              <FocusHandover key="copy" to={heading}>
                <button type="button" className="jp-mod-styled" onClick={() => copy([])}>
                  {trans.__('Copy all to %1', targetName(run, trans))}
                </button>
              </FocusHandover>
            )}
          </div>
        </>
      )}
      <Progress outputs={outputs} trans={trans} />
      <ErrorAlert
        error={outputs.error}
        trans={trans}
        {...(listed ? {} : { onRetry: () => void outputs.refresh() })}
      />
      {listed && listed.left_out.length > 0 && <LeftOut files={listed.left_out} trans={trans} />}
    </section>
  );
}

/** What there is to say of the list as a whole. */
function state(run: IRun, outputs: OutputsModel, trans: TranslationBundle): string {
  const { listed, nothing } = outputs;
  if (nothing && !run.is_active) {
    return `${serverText(nothing.message, trans)} ${serverText(nothing.hint, trans)}`.trim();
  }
  if (!listed) {
    return run.is_active && !outputs.error
      ? trans.__('Files are kept when the run ends.')
      : outputs.isLoading
        ? trans.__('Loading files…')
        : '';
  }
  if (!listed.files.length) {
    return trans.__('The run wrote no files.');
  }
  if (!listed.complete) {
    return run.is_active
      ? trans.__('So far. The run may write more.')
      : trans.__('The run was still running when these files were kept. Some may be missing.');
  }
  return '';
}

/** The files, a page at a time. */
function Pages(props: {
  readonly files: readonly IOutputFile[];
  readonly isBusy: boolean;
  readonly target: string;
  readonly trans: TranslationBundle;
  readonly onCopy: (name: string) => void;
  readonly onDownload: (file: IOutputFile) => void;
}): JSX.Element {
  const { files, isBusy, target, trans, onCopy, onDownload } = props;
  const id = useId();
  const [text, setText] = useState('');
  const [page, setPage] = useState(0);
  const sought = text.trim().toLowerCase();
  const found = sought ? files.filter(file => file.name.toLowerCase().includes(sought)) : files;
  const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
  const at = Math.min(page, last);
  const shown = found.slice(at * PAGE, (at + 1) * PAGE);
  return (
    <>
      {files.length > PAGE && (
        <div className="jp-fairing-az-file-search">
          <label className="jp-fairing-az-unseen" htmlFor={`${id}-text`}>
            {trans.__('Find a file by its name')}
          </label>
          <input
            id={`${id}-text`}
            type="search"
            className="jp-mod-styled"
            placeholder={trans.__('Find a file')}
            value={text}
            onChange={event => {
              setText(event.target.value);
              setPage(0);
            }}
          />
        </div>
      )}
      <ul className="jp-fairing-az-file-list" aria-label={trans.__('Files of this run')}>
        {shown.map(file => (
          <File
            key={file.name}
            file={file}
            isBusy={isBusy}
            target={target}
            trans={trans}
            onCopy={() => onCopy(file.name)}
            onDownload={() => onDownload(file)}
          />
        ))}
      </ul>
      {files.length > PAGE && (
        <div className="jp-fairing-az-actions" role="group" aria-label={trans.__('Pages of files')}>
          <button
            type="button"
            className="jp-mod-styled"
            aria-disabled={at === 0}
            onClick={() => setPage(Math.max(0, at - 1))}
          >
            {trans.__('Previous')}
          </button>
          <button
            type="button"
            className="jp-mod-styled"
            aria-disabled={at === last}
            onClick={() => setPage(Math.min(last, at + 1))}
          >
            {trans.__('Next')}
          </button>
          <span role="status" className="jp-fairing-az-quiet">
            {found.length
              ? trans.__('%1–%2 of %3', at * PAGE + 1, at * PAGE + shown.length, found.length)
              : trans.__('No file has that in its name.')}
          </span>
        </div>
      )}
    </>
  );
}

function File(props: {
  readonly file: IOutputFile;
  readonly isBusy: boolean;
  readonly target: string;
  readonly trans: TranslationBundle;
  readonly onCopy: () => void;
  readonly onDownload: () => void;
}): JSX.Element {
  const { file, isBusy, target, trans, onCopy, onDownload } = props;
  const cut = file.name.lastIndexOf('/') + 1;
  return (
    <li className="jp-fairing-az-file">
      <span className="jp-fairing-az-file-name" title={file.name}>
        <span className="jp-fairing-az-quiet">{file.name.slice(0, cut)}</span>
        <span>{file.name.slice(cut)}</span>
      </span>
      <span className="jp-fairing-az-quiet">{readableSize(file.size, trans)}</span>
      <span className="jp-fairing-az-tools">
        <button
          type="button"
          className="jp-fairing-az-link"
          title={trans.__('Copy to %1', target)}
          aria-label={trans.__('Copy %1 to %2', file.name, target)}
          aria-disabled={isBusy}
          onClick={() => !isBusy && onCopy()}
        >
          {trans.__('Copy')}
        </button>
        <button
          type="button"
          className="jp-fairing-az-link"
          aria-label={trans.__('Download %1', file.name)}
          onClick={onDownload}
        >
          {trans.__('Download')}
        </button>
      </span>
    </li>
  );
}

/** What is being copied, or what became of it. */
function Progress(props: {
  readonly outputs: OutputsModel;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { outputs, trans } = props;
  const { copying, copied } = outputs;
  const now = useNow(copying !== null);
  return (
    <>
      {copying && (
        <div className="jp-fairing-az-run-line">
          <span className="jp-fairing-az-busy" aria-hidden="true" />
          {/* Read out once; the seconds beside it are not. */}
          <span role="status" className="jp-fairing-az-run-name">
            {copying.name
              ? trans.__('Copying %1, %2…', copying.name, readableSize(copying.size, trans))
              : trans._n(
                  'Copying %1 file, %2…',
                  'Copying %1 files, %2…',
                  copying.count,
                  readableSize(copying.size, trans)
                )}
          </span>
          <span className="jp-fairing-az-quiet">{span(now - copying.since, trans)}</span>
        </div>
      )}
      <div role="status">
        {outputs.wasCancelled && (
          <Message kind="info" trans={trans}>
            {trans.__('Copying was cancelled. Files that were copied before are kept.')}
          </Message>
        )}
        {copied && <Copied copied={copied} trans={trans} />}
      </div>
    </>
  );
}

function Copied(props: {
  readonly copied: IFetched;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { copied, trans } = props;
  const place = folderName(copied.folder, trans);
  const of = (outcome: IFetchedFile['outcome']) =>
    copied.files.filter(file => file.outcome === outcome);
  const fetched = of('fetched');
  const there = of('there');
  const kept = of('rejected').filter(file => file.replaceable);
  const rejected = of('rejected').filter(file => !file.replaceable);
  const sentences = [
    fetched.length > 0 &&
      trans._n(
        '%3 copied to %2.',
        '%1 files copied to %2.',
        fetched.length,
        place,
        fetched[0]?.name
      ),
    there.length > 0 &&
      trans._n(
        '%3 is in %2 already.',
        '%1 files are in %2 already.',
        there.length,
        place,
        there[0]?.name
      ),
    kept.length > 0 &&
      trans._n(
        'Your own %3 was kept as it is.',
        'Your own %1 files were kept as they are: %2.',
        kept.length,
        namesOf(kept, trans),
        kept[0]?.name
      )
  ];
  const isDone = fetched.length + there.length > 0 || rejected.length === 0;
  return (
    <>
      {isDone && (
        <Message kind={kept.length > 0 ? 'info' : 'success'} trans={trans}>
          {sentences.filter(Boolean).join(' ')}
        </Message>
      )}
      {rejected.length > 0 && (
        <Message kind="warning" trans={trans}>
          {trans._n('Not copied:', '%1 files not copied:', rejected.length)}
          <ul className="jp-fairing-az-reasons">
            {rejected.slice(0, MOST_NAMES).map(file => (
              <li key={file.name}>
                <code>{file.name}</code>: {serverText(file.reason, trans)}
              </li>
            ))}
          </ul>
          {rejected.length > MOST_NAMES && (
            <p>{trans._n('and %1 other', 'and %1 others', rejected.length - MOST_NAMES)}</p>
          )}
        </Message>
      )}
    </>
  );
}

/** What a run has written and what was not kept. */
function LeftOut(props: {
  readonly files: readonly ILeftOut[];
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { files, trans } = props;
  const words: Readonly<Record<ILeftOut['reason'], string>> = {
    limit: trans.__('over the limit for files that are kept (outputs_limit)'),
    pattern: trans.__('not among the files that were asked for'),
    unreadable: trans.__('could not be read'),
    changed: trans.__('changed while it was read')
  };
  const most = 100;
  return (
    <details className="jp-fairing-az-more">
      <summary>{trans._n('%1 file was not kept', '%1 files were not kept', files.length)}</summary>
      <ul className="jp-fairing-az-reasons">
        {files.slice(0, most).map(file => (
          <li key={file.path}>
            <code>{file.path}</code>: {readableSize(file.size, trans)}, {words[file.reason]}
          </li>
        ))}
      </ul>
      {files.length > most && (
        <p>{trans._n('and %1 other', 'and %1 others', files.length - most)}</p>
      )}
    </details>
  );
}

/** Where files are copied to, as part of a sentence. */
function targetName(run: IRun, trans: TranslationBundle): string {
  return run.notebook_path === null
    ? trans.__('Jupyter’s root folder')
    : trans.__('the notebook’s folder');
}

/** A folder of Jupyter's contents, as part of a sentence. */
function folderName(folder: string, trans: TranslationBundle): string {
  return folder ? trans.__('“%1”', folder) : trans.__('Jupyter’s root folder');
}

/** The names of files, as part of a sentence. */
function namesOf(files: readonly IFetchedFile[], trans: TranslationBundle): string {
  const names = files.slice(0, MOST_NAMES).map(file => file.name);
  const others = files.length - names.length;
  return others > 0
    ? trans._n('%2 and %1 other', '%2 and %1 others', others, names.join(', '))
    : names.join(', ');
}
