// The types that boards are checked against: the document, and what the plugin of each panel takes. A panel that is not here fails.
import type * as dashboard from '@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as states from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

export type Board = dashboard.Dashboard;
export type Panels = {
  stat?: { options: stat.Options; custom: Record<string, never> };
  'state-timeline'?: { options: states.Options; custom: states.FieldConfig };
  table?: { options: table.Options; custom: table.FieldConfig };
  timeseries?: { options: timeseries.Options; custom: timeseries.FieldConfig };
};
