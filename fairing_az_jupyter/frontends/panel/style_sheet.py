"""How the panel looks: the theme's own colours, with others where there is no theme."""

from __future__ import annotations

__all__ = ["LIVE", "hiding", "static"]

_BORDER = "1px solid var(--jp-border-color1,#bdbdbd)"
_QUIET = "color:var(--jp-ui-font-color2,#616161)"

LIVE = f"""
.fairing-az-panel {{ container-type:inline-size; color:var(--jp-ui-font-color1,inherit); gap:0; max-width:60em;
  border:{_BORDER}; border-radius:4px; padding:10px 14px 12px; margin:2px; overflow:hidden; box-sizing:border-box;
  font-family:var(--jp-ui-font-family,sans-serif); font-size:var(--jp-ui-font-size1,13px) }}
.fairing-az-panel .widget-inline-hbox, .fairing-az-panel .widget-html, .fairing-az-panel .widget-button,
.fairing-az-panel .fairing-az-row, .fairing-az-panel .fairing-az-column {{ margin:0; max-width:100% }}
.fairing-az-panel .fairing-az-column {{ width:100%; overflow:visible; align-items:stretch }}
.fairing-az-panel .fairing-az-row {{ width:100%; overflow:visible; flex-wrap:wrap; align-items:center; gap:6px 8px }}
.fairing-az-panel .fairing-az-row:empty, .fairing-az-panel .fairing-az-column:empty,
.fairing-az-panel .fairing-az-style {{ display:none }}
.fairing-az-panel .fairing-az-buttons {{ margin:6px 0 }}
.fairing-az-panel .fairing-az-bar {{ justify-content:space-between; flex-wrap:nowrap; padding-bottom:6px }}
.fairing-az-panel .fairing-az-bar .widget-html {{ flex:1 1 auto }}
.fairing-az-panel .fairing-az-title {{ font-size:var(--jp-ui-font-size2,15px); font-weight:600 }}
.fairing-az-panel .widget-html-content {{ line-height:1.5; overflow-wrap:anywhere; white-space:normal }}
.fairing-az-panel .widget-html {{ min-width:0; font-size:inherit; line-height:1.5 }}
.fairing-az-panel .widget-html > .widget-label {{ display:none }}
.fairing-az-panel .fairing-az-note:has(> .widget-html-content:empty) {{ display:none }}
.fairing-az-panel table {{ font-size:inherit; color:inherit; border-collapse:collapse; width:auto; max-width:100% }}
.fairing-az-panel table tr, .fairing-az-panel table tr:nth-child(odd) {{ background:transparent }}
.fairing-az-panel td, .fairing-az-panel th {{ overflow-wrap:anywhere }}
.fairing-az-panel th[scope=col] {{ overflow-wrap:normal }}
.fairing-az-panel code, .fairing-az-panel pre {{ font-family:var(--jp-code-font-family,monospace);
  font-size:var(--jp-code-font-size,12px); color:inherit; background:transparent; padding:0 }}
.fairing-az-panel pre {{ white-space:pre-wrap; overflow-wrap:anywhere; margin:4px 0; padding:6px 8px; border:{_BORDER};
  border-radius:2px; max-height:24em; overflow:auto; line-height:1.4 }}
.fairing-az-panel .widget-button {{ width:auto; height:auto; min-height:28px; min-width:0; padding:3px 12px;
  line-height:1.5; font-size:inherit; white-space:normal; border:{_BORDER}; border-radius:3px; box-shadow:none;
  color:var(--jp-ui-font-color1,inherit); background:var(--jp-layout-color1,transparent); flex:none;
  text-align:center }}
.fairing-az-panel .widget-button:hover:enabled {{ background:var(--jp-layout-color2,#eee); box-shadow:none }}
.fairing-az-panel .widget-button:disabled {{ opacity:0.55 }}
.fairing-az-panel .widget-button.mod-primary {{ color:#fff; background:#1565c0; border-color:#1565c0 }}
.fairing-az-panel .widget-button.mod-primary:hover:enabled {{ background:#0d47a1 }}
.fairing-az-panel .widget-button.mod-danger {{ color:#fff; background:#c62828; border-color:#c62828 }}
.fairing-az-panel .widget-button.mod-danger:hover:enabled {{ background:#9b1c1c }}
.fairing-az-panel :is(button,input,select,textarea,summary,pre):focus-visible {{
  outline:2px solid var(--jp-brand-color1,#1976d2); outline-offset:1px }}
.fairing-az-panel .fairing-az-section {{ border-top:{_BORDER} }}
.fairing-az-panel .widget-button.fairing-az-head {{ width:100%; text-align:left; border:0; border-radius:0;
  padding:8px 2px; font-weight:600; background:transparent }}
.fairing-az-panel .widget-button.fairing-az-head:hover:enabled {{ background:var(--jp-layout-color2,#eee) }}
.fairing-az-panel .fairing-az-body {{ padding:2px 2px 14px }}
.fairing-az-panel .fairing-az-group {{ font-weight:600; padding-top:12px }}
.fairing-az-panel .widget-inline-hbox {{ width:auto; height:auto; align-items:center }}
.fairing-az-panel .fairing-az-column > .widget-inline-hbox:not(.widget-html) {{ margin:3px 0 }}
.fairing-az-panel .widget-inline-hbox > select {{ appearance:auto; background-image:none; padding:0 6px }}
.fairing-az-panel .widget-label {{ color:inherit; font-size:inherit; text-align:left; white-space:normal; height:auto;
  line-height:1.4; width:14em; max-width:14em; flex:none; margin:0 10px 0 0; overflow:visible }}
.fairing-az-panel .widget-inline-hbox > input, .fairing-az-panel .widget-inline-hbox > select,
.fairing-az-panel .widget-inline-hbox > textarea {{ flex:1 1 auto; min-width:0; width:auto; min-height:28px;
  box-sizing:border-box; font-size:inherit; margin:0; border:1px solid var(--jp-border-color0,#9e9e9e);
  border-radius:3px; color:var(--jp-ui-font-color1,inherit); background-color:var(--jp-layout-color1,transparent) }}
.fairing-az-panel .widget-textarea {{ align-items:flex-start }}
.fairing-az-panel .widget-textarea textarea {{ font-family:var(--jp-code-font-family,monospace);
  font-size:var(--jp-code-font-size,12px); height:auto; resize:vertical }}
.fairing-az-panel input::placeholder, .fairing-az-panel textarea::placeholder {{
  color:var(--jp-ui-font-color2,#616161); opacity:1 }}
.fairing-az-panel .widget-checkbox {{ width:auto }}
.fairing-az-panel .widget-checkbox .widget-label-basic {{ width:auto; max-width:none; display:flex;
  align-items:center; gap:6px; line-height:1.4; white-space:normal }}
.fairing-az-panel .widget-checkbox .widget-label-basic input {{ margin:0 }}
.fairing-az-panel .fairing-az-field {{ padding:5px 0 }}
.fairing-az-panel .fairing-az-field .widget-checkbox {{ padding-left:calc(14em + 10px) }}
.fairing-az-panel .fairing-az-entry {{ flex-wrap:nowrap }}
.fairing-az-panel .fairing-az-entry > .widget-inline-hbox {{ flex:1 1 auto; min-width:0 }}
.fairing-az-panel .fairing-az-entry > .fairing-az-source {{ flex:0 0 11.5em }}
.fairing-az-panel .fairing-az-inherited input, .fairing-az-panel .fairing-az-inherited select {{
  color:var(--jp-ui-font-color2,#616161); font-style:italic }}
.fairing-az-panel .fairing-az-wrong input, .fairing-az-panel .fairing-az-wrong select {{
  border-color:var(--jp-error-color0,#b3261e) }}
.fairing-az-panel .fairing-az-below {{ padding-left:calc(14em + 10px) }}
.fairing-az-panel .fairing-az-help, .fairing-az-panel .fairing-az-quiet {{ {_QUIET} }}
.fairing-az-panel .fairing-az-badge {{ display:inline-block; max-width:100%; border:{_BORDER}; border-radius:9px;
  padding:0 8px; {_QUIET}; font-size:var(--jp-ui-font-size0,11px); overflow-wrap:anywhere }}
.fairing-az-panel .fairing-az-message {{ border-left:3px solid var(--jp-info-color1,#0277bd); padding:2px 0 2px 8px;
  margin:4px 0; overflow-wrap:anywhere }}
.fairing-az-panel .fairing-az-error {{ border-color:var(--jp-error-color0,#b3261e) }}
.fairing-az-panel .fairing-az-warning {{ border-color:var(--jp-warn-color0,#b26a00) }}
.fairing-az-panel .fairing-az-done {{ border-color:var(--jp-success-color0,#2e7d32) }}
.fairing-az-panel .fairing-az-hint {{ {_QUIET} }}
.fairing-az-panel .fairing-az-form {{ border:{_BORDER}; border-radius:3px; padding:8px 10px; margin:6px 0; gap:6px }}
.fairing-az-panel .fairing-az-item {{ border-bottom:{_BORDER}; padding:8px 0 }}
.fairing-az-panel .fairing-az-item:last-child {{ border-bottom:0 }}
.fairing-az-panel .fairing-az-diff :is(span,ins,del) {{ display:block; text-decoration:none;
  padding-left:calc(2ch + 4px); text-indent:-2ch; border-left:3px solid transparent }}
.fairing-az-panel .fairing-az-diff ins {{ border-color:var(--jp-success-color0,#2e7d32) }}
.fairing-az-panel .fairing-az-diff del {{ border-color:var(--jp-error-color0,#b3261e) }}
@container (max-width:620px) {{
  .fairing-az-panel .widget-inline-hbox:not(.widget-checkbox) {{ flex-direction:column; align-items:stretch }}
  .fairing-az-panel .widget-inline-hbox .widget-label {{ width:auto; max-width:none; margin:0 0 2px }}
  .fairing-az-panel .fairing-az-entry {{ align-items:flex-end }}
  .fairing-az-panel .fairing-az-entry > .fairing-az-source {{ flex:0 0 8.5em }}
  .fairing-az-panel .fairing-az-below, .fairing-az-panel .fairing-az-field .widget-checkbox {{ padding-left:0 }}
}}
"""
"""The style sheet of the live panel."""

_STATIC = """
.jp-OutputArea:has(.fairing-az-static) .jp-OutputArea-output.jupyter-widgets:not(:has(*)) { display:none }
"""


def static() -> str:
    """Return the style of the static table; it hides what JupyterLab says in place of a widget that is not there."""
    return f"<style>{_STATIC}</style>"


def hiding(name: str) -> str:
    """Return the style by which a live panel hides its static table.

    Args:
        name: The static table's own class.

    """
    return f".{name}{{display:none}}"
