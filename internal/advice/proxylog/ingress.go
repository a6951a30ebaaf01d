package proxylog

import (
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// ingressRows returns the messages of the ingress-nginx controller itself.
func ingressRows() []Row {
	const p = "ingress-nginx"
	line := func(msg string) string { return "W0301 12:00:00.123456       7 controller.go:1107] " + msg }
	return []Row{
		{p, "does not have any active Endpoint", "", nginxlog.NoLiveUpstreams, "the service has no ready pod, so requests get 503", "check the pods' readiness (kubectl get endpoints, kubectl describe pod), and that the service's selector and targetPort match them", "", line(`Service "default/app" does not have any active Endpoint.`)},
		{p, "Error obtaining Endpoints for Service", "", nginxlog.UpstreamAddress, "the ingress names a service that does not exist", "correct the name, or the namespace", "", line(`Error obtaining Endpoints for Service "default/app": no object matching key "default/app" in local store`)},
		{p, "no object matching key", "", nginxlog.UpstreamAddress, "the ingress names something that does not exist", "correct the name, or the namespace", "", line(`error obtaining service: no object matching key "default/app" in local store`)},
		{p, "does not have a port", "", nginxlog.UpstreamAddress, "the ingress names a port that the service does not have", "correct the port", "", line(`service "default/app" does not have a port "http"`)},
		{p, "nexpected failure reloading the backend", "", nginxlog.ConfigRefused, "nginx kept its old configuration", "correct the annotation or snippet that the message names", "", "E0301 12:00:00.123456       7 controller.go:205] Unexpected failure reloading the backend: exit status 1"},
	}
}

// readIngress parses the controller's own lines (klog): level, month and day, time,
// process, file, message.
func readIngress(line []byte) (e event, ok bool) {
	const shortest = len("I0301 12:00:00.123456")
	if len(line) < shortest || !strings.Contains("IWEF", string(line[0])) || line[5] != ' ' || line[8] != ':' || line[11] != ':' || line[14] != '.' {
		return e, false
	}
	_, message, ok := strings.Cut(string(line), "] ")
	if !ok {
		return e, false
	}
	e.proxy = "ingress-nginx"
	e.unsure = !strings.Contains(string(line[:min(len(line), 64)]), "controller.go")
	if line[0] == 'I' {
		return e, true
	}
	for _, row := range ingressRows() {
		if strings.Contains(message, row.Match) {
			e.match, e.upstream = message, quotedName(message)
			break
		}
	}
	return e, true
}

// quotedName returns the first name in quotes.
func quotedName(message string) string {
	_, rest, _ := strings.Cut(message, `"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}
