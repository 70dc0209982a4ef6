// Package monitoring makes the Grafana dashboard dashboard.json, which Grafana imports as it
// is. The alerts and the recording rules beside it are written by hand.
package monitoring

import (
	"encoding/json"
	"fmt"
)

// Row is a heading of the dashboard with its panels.
type Row struct {
	Title  string
	Panels []Panel
}

// Panel is one graph.
type Panel struct {
	Title string
	Help  string
	// Unit is Grafana's name of a unit: short, s, bytes, Bps, reqps, percentunit.
	Unit    string
	Queries []Query
}

// Query is one PromQL query of a panel, and the name of its series.
type Query struct{ Expr, Legend string }

// Rows are the dashboard, from what viewers notice to what causes it.
var Rows = []Row{
	{"Viewers", []Panel{
		{"Streams", "Streams running now, by gateway.", "short", []Query{{`sum by (instance) (lectern_streams_active)`, "{{instance}}"}}},
		{"Requests", "Stream requests by status.", "reqps", []Query{{`sum by (code) (rate(lectern_stream_requests_total[5m]))`, "{{code}}"}}},
		{"First byte", "The goal is 1 s for 99 % of the requests.", "s", []Query{
			{`histogram_quantile(0.5, sum by (le) (rate(lectern_stream_first_byte_seconds_bucket[5m])))`, "half"},
			{`lectern:first_byte_seconds:p95_5m`, "95 %"},
			{`histogram_quantile(0.99, sum by (le) (rate(lectern_stream_first_byte_seconds_bucket[5m])))`, "99 %"},
		}},
		{"Slow first bytes", "Share of the requests above 1 s; the budget is 1 %.", "percentunit", []Query{
			{`lectern:first_byte_slow:ratio_rate1h`, "hour"}, {`lectern:first_byte_slow:ratio_rate1d`, "day"},
		}},
		{"Errors", "Share of the streams that end in a 5xx.", "percentunit", []Query{{`lectern:stream_errors:ratio_rate5m`, "5xx"}}},
		{"Refusals", "Access decisions other than ok.", "reqps", []Query{{`sum by (result) (rate(lectern_auth_total{result!="ok"}[5m]))`, "{{result}}"}}},
	}},
	{"Cache and origins", []Panel{
		{"Bytes sent", "By where they came from.", "Bps", []Query{{`sum by (source) (rate(lectern_stream_bytes_total[5m]))`, "{{source}}"}}},
		{"Cache", "Bytes on disk, and the limit.", "bytes", []Query{
			{`sum by (instance) (lectern_cache_bytes)`, "{{instance}}"}, {`sum by (instance) (lectern_cache_capacity_bytes)`, "{{instance}}, limit"},
		}},
		{"Origin requests", "By provider and outcome.", "reqps", []Query{{`sum by (provider, outcome) (rate(lectern_origin_requests_total[5m])) > 0`, "{{provider}} {{outcome}}"}}},
		{"Origin first byte", "95 % are faster.", "s", []Query{{`histogram_quantile(0.95, sum by (le, provider) (rate(lectern_origin_first_byte_seconds_bucket[5m])))`, "{{provider}}"}}},
	}},
	{"Recordings", []Panel{
		{"Webhooks", "By what became of them.", "reqps", []Query{{`sum by (result) (rate(lectern_webhook_events_total[5m])) > 0`, "{{result}}"}}},
		{"Time to the archive", "From Zoom's first word; the goal is 2 h for 99.5 %.", "s", []Query{
			{`histogram_quantile(0.5, sum by (le) (rate(lectern_archive_delay_seconds_bucket[6h])))`, "half"},
			{`histogram_quantile(0.95, sum by (le) (rate(lectern_archive_delay_seconds_bucket[6h])))`, "95 %"},
		}},
		{"Waiting longest", "Age of the recording that waits longest for its archive.", "s", []Query{{`max(lectern_oldest_unarchived_seconds)`, "oldest"}}},
		{"Late", "Recordings that wait for more than two hours.", "short", []Query{{`max(lectern_recordings_late)`, "late"}}},
		{"Jobs waiting", "By kind.", "short", []Query{{`max by (kind) (lectern_jobs_waiting)`, "{{kind}}"}}},
		{"Job outcomes", "Other than completed.", "short", []Query{{`sum by (kind, outcome) (increase(lectern_jobs_total{outcome!="completed"}[1h])) > 0`, "{{kind}} {{outcome}}"}}},
		{"Since the last reconciliation", "Ended at all, and ended without a failed teacher.", "s", []Query{
			{`time() - max(lectern_reconcile_last_finished_timestamp_seconds)`, "ended"}, {`time() - max(lectern_reconcile_last_success_timestamp_seconds)`, "all teachers"},
		}},
		{"Teachers", "Of the latest reconciliation.", "short", []Query{{`max by (state) (lectern_reconcile_teachers)`, "{{state}}"}}},
	}},
	{"Machines", []Panel{
		{"Ready", "1 while a program can do useful work.", "short", []Query{{`lectern_ready`, "{{job}} {{instance}}"}}},
		{"Database", "Time of a statement; 95 % are faster.", "s", []Query{{`histogram_quantile(0.95, sum by (le, job) (rate(lectern_database_seconds_bucket[5m])))`, "{{job}}"}}},
		{"Connections", "To the database, by state.", "short", []Query{{`sum by (job, state) (lectern_database_connections)`, "{{job}} {{state}}"}}},
		{"Disk free", "Of the file systems that are used.", "bytes", []Query{{`lectern_disk_free_bytes`, "{{instance}} {{directory}}"}}},
		{"Memory", "Resident memory.", "bytes", []Query{{`process_resident_memory_bytes{job=~"lectern-.*"}`, "{{job}} {{instance}}"}}},
		{"Descriptors", "Open files and sockets.", "short", []Query{{`process_open_fds{job=~"lectern-.*"}`, "{{job}} {{instance}}"}}},
	}},
}

const (
	columns = 24 // of Grafana's grid
	width   = 8
	height  = 7
)

type object = map[string]any

// Dashboard is the dashboard as Grafana imports it (schema version 39).
func Dashboard() ([]byte, error) {
	source := object{"type": "prometheus", "uid": "${source}"}
	var panels []object
	y := 0
	for _, row := range Rows {
		panels = append(panels, object{"id": len(panels) + 1, "type": "row", "title": row.Title, "collapsed": false, "panels": []object{}, "gridPos": object{"x": 0, "y": y, "w": columns, "h": 1}})
		y++
		for i, p := range row.Panels {
			var targets []object
			for n, q := range p.Queries {
				targets = append(targets, object{"refId": string(rune('A' + n)), "datasource": source, "expr": q.Expr, "legendFormat": q.Legend})
			}
			perRow := columns / width
			panels = append(panels, object{
				"id": len(panels) + 1, "type": "timeseries", "title": p.Title, "description": p.Help, "datasource": source, "targets": targets,
				"gridPos":     object{"x": i % perRow * width, "y": y + i/perRow*height, "w": width, "h": height},
				"fieldConfig": object{"defaults": object{"unit": p.Unit, "min": 0}, "overrides": []object{}},
				"options":     object{"legend": object{"displayMode": "list", "placement": "bottom"}, "tooltip": object{"mode": "multi"}},
			})
		}
		y += (len(row.Panels) + columns/width - 1) / (columns / width) * height
	}
	out, err := json.MarshalIndent(object{
		"title": "Lectern", "uid": "lectern", "tags": []string{"lectern"}, "schemaVersion": 39, "refresh": "1m", "editable": true,
		"time":       object{"from": "now-6h", "to": "now"},
		"templating": object{"list": []object{{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": object{}}}},
		"panels":     panels,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	return append(out, '\n'), nil
}
