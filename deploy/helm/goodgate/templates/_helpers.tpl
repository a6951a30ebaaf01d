{{- define "goodgate.name" -}}
{{- $chart := .Values.nameOverride | default .Chart.Name }}
{{- $release := contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart) }}
{{- .Values.fullnameOverride | default $release | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "goodgate.selector" -}}
app.kubernetes.io/name: goodgate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "goodgate.labels" -}}
{{ include "goodgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "goodgate.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "goodgate.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "goodgate.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "goodgate.tokenSecret" -}}
{{ .Values.admin.existingSecret | default (printf "%s-admin" (include "goodgate.name" .)) }}
{{- end }}

{{- /* How long Kubernetes lets a pod stop. A shorter time would cut off requests that goodgate is still finishing. */}}
{{- define "goodgate.terminationGracePeriodSeconds" -}}
{{- with .Values.shutdown }}{{ add .lameDuck (max .grace .tunnels) .margin }}{{ end }}
{{- end }}

{{- define "goodgate.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if not (or $config.pools $config.routes $config.include) }}
{{- $body := "goodgate is running without a configuration for your application. Set the chart's value config.\n" }}
{{- $answer := dict "status" 503 "headers" (dict "Content-Type" "text/plain; charset=utf-8") "body" $body }}
{{- $_ := set $config "routes" (list (dict "respond" $answer)) }}
{{- end }}
{{- if not (or $config.listeners $config.include) }}
{{- $_ := set $config "listeners" (list (printf ":%v" .Values.port)) }}
{{- end }}
{{- $admin := dict "address" (printf ":%v" .Values.admin.port) "token" "${GOODGATE_TOKEN}" }}
{{- $shutdown := dict "lame_duck" (printf "%vs" .Values.shutdown.lameDuck) "grace" (printf "%vs" .Values.shutdown.grace) "tunnels" (printf "%vs" .Values.shutdown.tunnels) }}
{{- mergeOverwrite $config (dict "admin" (mergeOverwrite (deepCopy ($config.admin | default dict)) $admin) "shutdown" $shutdown) | toYaml }}
{{- end }}

{{- /* The container of a tier and of a sidecar. */}}
{{- define "goodgate.container" -}}
name: goodgate
image: {{ include "goodgate.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  {{- concat (list "run" "--config" "/etc/goodgate/goodgate.yaml" "--watch") .Values.args | toYaml | nindent 2 }}
env:
  - name: GOODGATE_TOKEN
    valueFrom:
      secretKeyRef: {name: {{ include "goodgate.tokenSecret" . }}, key: token}
  {{- with .Values.memoryLimit }}
  - {name: GOMEMLIMIT, value: {{ . | quote }}}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - {name: http, containerPort: {{ .Values.port }}}
  - {name: admin, containerPort: {{ .Values.admin.port }}}
  {{- range .Values.extraPorts }}
  - {name: {{ .name }}, containerPort: {{ .port }}, protocol: {{ .protocol | default "TCP" }}}
  {{- end }}
startupProbe:
  httpGet: {path: /ready, port: admin}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /ready, port: admin}
  periodSeconds: 2
  timeoutSeconds: 2
livenessProbe:
  httpGet: {path: /live, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - {name: goodgate-config, mountPath: /etc/goodgate, readOnly: true}
  - {name: goodgate-tmp, mountPath: /tmp}
  {{- with .Values.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "goodgate.volumes" -}}
- name: goodgate-config
  configMap: {name: {{ .Values.existingConfigMap | default (include "goodgate.name" .) }}}
- name: goodgate-tmp
  emptyDir: {sizeLimit: 64Mi}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
