{{- /*
goodgate beside an application in the same pod. In a chart that has this one as a
dependency with mode: sidecar:

  spec:
    terminationGracePeriodSeconds: {{ include "goodgate.terminationGracePeriodSeconds" .Subcharts.goodgate }}
    initContainers:
      {{- include "goodgate.sidecar" .Subcharts.goodgate | nindent 6 }}
    containers: [...]
    volumes:
      {{- include "goodgate.volumes" .Subcharts.goodgate | nindent 6 }}

It is an init container that is restarted always, which Kubernetes (1.29) starts before the
application and ends after it: requests under way never lose it.
*/}}
{{- define "goodgate.sidecar" -}}
- restartPolicy: Always
  {{- include "goodgate.container" . | nindent 2 }}
{{- end }}
