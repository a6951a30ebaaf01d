package checks

import (
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// rendering is the objects of a chart, with the types of Kubernetes.
type rendering []any

// rendered renders the chart with values in the form of a values file.
func rendered(t *testing.T, text string) rendering {
	t.Helper()
	values := map[string]any{}
	must(t, yaml.Unmarshal([]byte(text), &values))
	files, err := render(loadChart(t), values)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var all rendering
	for _, doc := range documents(files) {
		o, err := decode(doc)
		if err != nil {
			t.Fatalf("%s: %v\n%s", text, err, doc)
		}
		all = append(all, o)
	}
	return all
}

// one returns the only object of a type.
func one[T any](t *testing.T, all rendering) *T {
	t.Helper()
	var found []*T
	for _, o := range all {
		if o, ok := o.(*T); ok {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d of %T, want one", len(found), *new(T))
	}
	return found[0]
}

func (r rendering) has(match func(any) bool) bool { return slices.ContainsFunc(r, match) }

func (r rendering) container(t *testing.T) corev1.Container {
	t.Helper()
	return one[appsv1.Deployment](t, r).Spec.Template.Spec.Containers[0]
}

// TestChartOwnConfigMap checks that the chart creates no ConfigMap, and that the pod
// mounts the existing one.
func TestChartOwnConfigMap(t *testing.T) {
	r := rendered(t, "existingConfigMap: mine")
	if r.has(func(o any) bool { _, ok := o.(*corev1.ConfigMap); return ok }) {
		t.Error("the chart makes a ConfigMap")
	}
	d := one[appsv1.Deployment](t, r)
	if got := d.Spec.Template.Spec.Volumes[0].ConfigMap; got == nil || got.Name != "mine" {
		t.Errorf("the pod mounts %+v", got)
	}
	one[corev1.Secret](t, r)
}

// TestChartConfig checks that goodgate runs the configuration of the values, and nothing
// of the chart's default routes.
func TestChartConfig(t *testing.T) {
	for values, want := range map[string]struct{ has, lacks string }{
		"": {"status: 503", "pools:"},
		"config: {pools: {app: {upstreams: [\"http://app:3000\"]}}}":                                                                               {":8080", "503"},
		"{port: 8081, config: {pools: {app: {upstreams: [\"http://app:3000\"]}}}}":                                                                 {":8081", "503"},
		"config: {listeners: [\":9000\"], pools: {app: {upstreams: [\"http://app:3000\"]}}}":                                                       {":9000", "8080"},
		"config: {routes: [{respond: {status: 204}}]}":                                                                                             {"204", "503"},
		"config: {pools: {a: {upstreams: [\"http://a:1\"]}, b: {upstreams: [\"http://b:1\"]}}, routes: [{match: {path: /b}, pool: b}, {pool: a}]}": {"path: /b", "503"},
	} {
		config := one[corev1.ConfigMap](t, rendered(t, values)).Data["goodgate.yaml"]
		if !strings.Contains(config, want.has) || strings.Contains(config, want.lacks) {
			t.Errorf("%s: want %q and no %q in\n%s", values, want.has, want.lacks, config)
		}
		checkConfig(t, config)
	}
}

func TestChartExtras(t *testing.T) {
	r := rendered(t, `
args: [--log-format, json]
env: [{name: A, value: b}]
tolerations: [{key: spot, operator: Exists}]
volumes: [{name: tls, secret: {secretName: app-tls}}]
volumeMounts: [{name: tls, mountPath: /tls, readOnly: true}]
extraPorts: [{name: https, port: 8443, servicePort: 443}, {name: h3, port: 8443, servicePort: 443, protocol: UDP}]
networkPolicy: {enabled: true}
`)
	c := r.container(t)
	if got := strings.Join(c.Args, " "); got != "run --config /etc/goodgate/goodgate.yaml --watch --log-format json" {
		t.Errorf("arguments %q", got)
	}
	if !slices.Contains(c.Env, corev1.EnvVar{Name: "A", Value: "b"}) {
		t.Errorf("env %v", c.Env)
	}
	if !slices.Contains(c.Ports, corev1.ContainerPort{Name: "h3", ContainerPort: 8443, Protocol: corev1.ProtocolUDP}) {
		t.Errorf("ports %v", c.Ports)
	}
	pod := one[appsv1.Deployment](t, r).Spec.Template.Spec
	wantSafePod(t, pod, "extras")
	if len(pod.Tolerations) != 1 || len(pod.Volumes) != 3 || c.VolumeMounts[2].MountPath != "/tls" {
		t.Errorf("tolerations %v, volumes %v, mounts %v", pod.Tolerations, pod.Volumes, c.VolumeMounts)
	}
	ports := map[int32]int{}
	for _, p := range one[corev1.Service](t, r).Spec.Ports {
		ports[p.Port]++
	}
	if want := map[int32]int{80: 1, 443: 2}; !maps.Equal(ports, want) {
		t.Errorf("the Service has %v, want %v", ports, want)
	}
	if open := one[networkingv1.NetworkPolicy](t, r).Spec.Ingress[0].Ports; len(open) != 3 {
		t.Errorf("the policy opens %v", open)
	}
}

// TestChartRandomUser checks that for a platform that chooses the user, such as
// OpenShift, the chart sets no user and keeps the other settings.
func TestChartRandomUser(t *testing.T) {
	r := rendered(t, "securityContext: {runAsUser: null, runAsGroup: null}\npodSecurityContext: {fsGroup: null}")
	s, p := r.container(t).SecurityContext, one[appsv1.Deployment](t, r).Spec.Template.Spec.SecurityContext
	if s.RunAsUser != nil || s.RunAsGroup != nil || p.FSGroup != nil {
		t.Errorf("user %v, group %v, fsGroup %v", s.RunAsUser, s.RunAsGroup, p.FSGroup)
	}
	if !*s.RunAsNonRoot || !*s.ReadOnlyRootFilesystem || !*p.RunAsNonRoot {
		t.Errorf("%+v, %+v", s, p)
	}
}

func TestChartIngress(t *testing.T) {
	if r := rendered(t, ""); r.has(func(o any) bool { _, ok := o.(*networkingv1.Ingress); return ok }) {
		t.Error("there is one without being asked for")
	}
	plain := one[networkingv1.Ingress](t, rendered(t, "ingress: {enabled: true}"))
	if plain.Spec.IngressClassName != nil || len(plain.Spec.Rules) != 1 || plain.Spec.Rules[0].Host != "" {
		t.Errorf("without values: %+v", plain.Spec)
	}
	full := one[networkingv1.Ingress](t, rendered(t, `
ingress:
  enabled: true
  className: nginx
  annotations: {a: b}
  hosts: [{host: app.example.com}, {host: api.example.com, path: /v1}]
  tls: [{secretName: app-tls, hosts: [app.example.com]}]
`))
	api := full.Spec.Rules[1]
	if *full.Spec.IngressClassName != "nginx" || full.Spec.TLS[0].SecretName != "app-tls" || full.Annotations["a"] != "b" ||
		api.Host != "api.example.com" || api.HTTP.Paths[0].Path != "/v1" || api.HTTP.Paths[0].Backend.Service.Port.Name != "http" {
		t.Errorf("%+v", full)
	}
}

// TestChartIPv6 checks that nothing in the chart needs IPv4.
func TestChartIPv6(t *testing.T) {
	r := rendered(t, "service: {ipFamilyPolicy: SingleStack, ipFamilies: [IPv6], type: LoadBalancer, externalTrafficPolicy: Local, loadBalancerSourceRanges: [\"fd00::/8\"]}")
	s := one[corev1.Service](t, r).Spec
	if s.IPFamilies[0] != corev1.IPv6Protocol || *s.IPFamilyPolicy != corev1.IPFamilyPolicySingleStack ||
		s.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal || s.LoadBalancerSourceRanges[0] != "fd00::/8" {
		t.Errorf("%+v", s)
	}
	if config := one[corev1.ConfigMap](t, r).Data["goodgate.yaml"]; strings.Contains(config, "127.0.0.1") || strings.Contains(config, "0.0.0.0") {
		t.Errorf("the configuration names addresses of IPv4:\n%s", config)
	}
}

func TestChartNames(t *testing.T) {
	for values, want := range map[string]string{
		"": "goodgate", "nameOverride: edge": "goodgate-edge", "fullnameOverride: front": "front",
		"{nameOverride: edge, fullnameOverride: front}": "front",
	} {
		if got := one[appsv1.Deployment](t, rendered(t, values)).Name; got != want {
			t.Errorf("%s: %s, want %s", values, got, want)
		}
	}
}
