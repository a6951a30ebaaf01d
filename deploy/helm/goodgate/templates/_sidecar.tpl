{{- /*
Runs goodgate as a sidecar of an application. In a chart that depends on this chart, with
mode: sidecar:

  spec:
    terminationGracePeriodSeconds: {{ include "goodgate.terminationGracePeriodSeconds" .Subcharts.goodgate }}
    initContainers:
      {{- include "goodgate.sidecar" .Subcharts.goodgate | nindent 6 }}
    containers: [...]
    volumes:
      {{- include "goodgate.volumes" .Subcharts.goodgate | nindent 6 }}

An init container with restartPolicy Always starts before the application and stops after
it (Kubernetes 1.29). So goodgate can finish every request in flight.
*/}}
{{- define "goodgate.sidecar" -}}
- restartPolicy: Always
  {{- include "goodgate.container" . | nindent 2 }}
{{- end }}
