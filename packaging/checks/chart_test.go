package checks

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the manifests of deploy/kubernetes anew")

const (
	chartDir     = "../../deploy/helm/goodgate"
	manifestsDir = "../../deploy/kubernetes"
)

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartDir)
	must(t, err)
	return c
}

func render(c *chart.Chart, values map[string]any) (map[string]string, error) {
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, err
	}
	all, err := util.ToRenderValues(c, values, common.ReleaseOptions{Name: c.Name(), Namespace: "default", Revision: 1, IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// documents returns the objects of rendered templates, in the order of their files.
func documents(rendered map[string]string) (docs []string) {
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for doc := range strings.SplitSeq("\n"+rendered[name], "\n---\n") {
			if strings.TrimSpace(doc) != "" {
				docs = append(docs, strings.TrimSpace(doc)+"\n")
			}
		}
	}
	return docs
}

// scaledObject is the part of KEDA's type that the chart uses. KEDA's own module
// depends on most of Kubernetes.
type scaledObject struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount int `json:"minReplicaCount"`
		MaxReplicaCount int `json:"maxReplicaCount"`
		PollingInterval int `json:"pollingInterval"`
		CooldownPeriod  int `json:"cooldownPeriod"`
		Triggers        []struct {
			Type     string            `json:"type"`
			Metadata map[string]string `json:"metadata"`
		} `json:"triggers"`
	} `json:"spec"`
}

// decode decodes an object with its Kubernetes type. Unknown fields, duplicate fields
// and wrong types are errors.
func decode(doc string) (any, error) {
	var head struct{ APIVersion, Kind string }
	if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
		return nil, err
	}
	switch head.APIVersion {
	case "monitoring.coreos.com/v1":
		o := &monitoring.ServiceMonitor{}
		return o, yaml.UnmarshalStrict([]byte(doc), o)
	case "keda.sh/v1alpha1":
		o := &scaledObject{}
		return o, yaml.UnmarshalStrict([]byte(doc), o)
	}
	s := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	o, _, err := s.Decode([]byte(doc), nil, nil)
	return o, err
}

// combinations returns all settings of the chart's switches.
func combinations() (all []map[string]any) {
	on := func(key string, more map[string]any) func(map[string]any) {
		return func(v map[string]any) {
			section := map[string]any{"enabled": true}
			maps.Copy(section, more)
			v[key] = section
		}
	}
	peers := []any{map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"app": "x"}}}}
	switches := []func(map[string]any){
		func(v map[string]any) { v["mode"] = "sidecar" },
		on("autoscaling", nil), on("keda", nil), on("serviceMonitor", map[string]any{"labels": map[string]any{"release": "prometheus"}}),
		on("networkPolicy", map[string]any{"from": peers, "monitoring": peers}),
		func(v map[string]any) { v["rbac"] = map[string]any{"endpointSlices": true} },
		func(v map[string]any) { v["serviceAccount"] = map[string]any{"create": false} },
		func(v map[string]any) { v["admin"] = map[string]any{"existingSecret": "mine"} },
		func(v map[string]any) { // all values that the templates copy unchanged
			v["podDisruptionBudget"] = map[string]any{"enabled": false}
			v["service"] = map[string]any{"annotations": map[string]any{"a": "b"}, "type": "LoadBalancer"}
			v["image"] = map[string]any{"repository": "r.example.com/goodgate", "digest": "sha256:" + strings.Repeat("0", 64)}
			v["imagePullSecrets"] = []any{map[string]any{"name": "x"}}
			v["env"], v["envFrom"] = []any{map[string]any{"name": "A", "value": "b"}}, []any{map[string]any{"secretRef": map[string]any{"name": "x"}}}
			v["podLabels"], v["podAnnotations"], v["nodeSelector"] = map[string]any{"a": "b"}, map[string]any{"a": "b"}, map[string]any{"a": "b"}
			v["tolerations"] = []any{map[string]any{"key": "a", "operator": "Exists"}}
			v["affinity"] = map[string]any{"nodeAffinity": map[string]any{}}
			v["topologySpreadConstraints"] = []any{map[string]any{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}}
			v["priorityClassName"] = "high"
			v["args"] = []any{"--log-format", "json"}
			v["extraPorts"] = []any{map[string]any{"name": "https", "port": 8443, "servicePort": 443}, map[string]any{"name": "http3", "port": 8443, "protocol": "UDP"}}
			v["volumes"] = []any{map[string]any{"name": "tls", "secret": map[string]any{"secretName": "x"}}}
			v["volumeMounts"] = []any{map[string]any{"name": "tls", "mountPath": "/tls"}}
			v["ingress"] = map[string]any{"enabled": true, "hosts": []any{map[string]any{"host": "a.example.com"}}}
		},
	}
	for set := range 1 << len(switches) {
		v := map[string]any{}
		for i, do := range switches {
			if set>>i&1 == 1 {
				do(v)
			}
		}
		all = append(all, v)
	}
	return all
}

func TestChartLint(t *testing.T) {
	l := lint.RunAll(chartDir, nil, "default")
	for _, m := range l.Messages {
		if m.Severity > support.InfoSev {
			t.Errorf("helm lint: %s", m)
		}
	}
}

// TestChartCombinations renders every combination of the chart's switches, and decodes
// the result with the types of Kubernetes.
func TestChartCombinations(t *testing.T) {
	kinds := map[string]int{}
	for _, values := range combinations() {
		rendered, err := render(loadChart(t), values)
		if err != nil {
			t.Fatalf("%v: %v", values, err)
		}
		for _, doc := range documents(rendered) {
			o, err := decode(doc)
			if err != nil {
				t.Fatalf("%v: %v\n%s", values, err, doc)
			}
			kinds[fmt.Sprintf("%T", o)]++
			if d, ok := o.(*appsv1.Deployment); ok {
				wantSafePod(t, d.Spec.Template.Spec, values)
			}
		}
	}
	if len(kinds) != 13 {
		t.Errorf("decoded %v, want 13 kinds", kinds)
	}
}

// wantSafePod checks the settings that every pod with goodgate must have.
func wantSafePod(t *testing.T, p corev1.PodSpec, about any) {
	t.Helper()
	for _, c := range slices.Concat(p.InitContainers, p.Containers) {
		if c.Name != "goodgate" {
			continue
		}
		s := c.SecurityContext
		if s == nil || !*s.ReadOnlyRootFilesystem || !*s.RunAsNonRoot || *s.AllowPrivilegeEscalation || *s.RunAsUser != 65532 ||
			s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%v: security context %+v", about, s)
		}
		if c.ReadinessProbe == nil || c.LivenessProbe == nil || c.StartupProbe == nil {
			t.Errorf("%v: a probe is missing", about)
		}
		for _, m := range c.VolumeMounts {
			if !slices.ContainsFunc(p.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
				t.Errorf("%v: no volume %s", about, m.Name)
			}
		}
	}
}

// TestChartGracePeriod checks that Kubernetes waits longer than goodgate drains.
func TestChartGracePeriod(t *testing.T) {
	for _, c := range []struct{ lameDuck, grace, tunnels, margin, want int }{
		{5, 30, 0, 10, 45}, {0, 0, 0, 0, 0}, {10, 60, 600, 5, 615}, {1, 60, 30, 2, 63},
	} {
		rendered, err := render(loadChart(t), map[string]any{"shutdown": map[string]any{
			"lameDuck": c.lameDuck, "grace": c.grace, "tunnels": c.tunnels, "margin": c.margin,
		}})
		must(t, err)
		found := false
		for _, doc := range documents(rendered) {
			o, err := decode(doc)
			must(t, err)
			if d, ok := o.(*appsv1.Deployment); ok {
				found = true
				if got := *d.Spec.Template.Spec.TerminationGracePeriodSeconds; got != int64(c.want) {
					t.Errorf("%+v: got %d", c, got)
				}
			}
		}
		if !found {
			t.Error("no Deployment")
		}
	}
}

// TestChartRefuses checks that the schema rejects useless values.
func TestChartRefuses(t *testing.T) {
	for _, values := range []map[string]any{
		{"mode": "daemon"}, {"nonsense": 1}, {"port": 0}, {"port": "http"}, {"replicas": -1}, {"image": map[string]any{"digest": "latest"}},
		{"shutdown": map[string]any{"grace": "30s"}}, {"config": "goodgate.yaml"},
		{"service": map[string]any{"type": "ExternalName"}}, {"memoryLimit": "200Mi"}, {"args": "--watch"}, {"service": map[string]any{"ipFamilies": []any{"IPv5"}}},
		{"extraPorts": []any{map[string]any{"name": "longer-than-kubernetes-allows", "port": 1}}}, {"extraPorts": []any{map[string]any{"port": 1}}}, {"keda": map[string]any{"prometheus": "prometheus:9090"}},
	} {
		if _, err := render(loadChart(t), values); err == nil {
			t.Errorf("%v was accepted", values)
		}
	}
}

// configOf returns goodgate's configuration from rendered objects.
func configOf(t *testing.T, docs []string) string {
	t.Helper()
	for _, doc := range docs {
		o, err := decode(doc)
		must(t, err)
		if c, ok := o.(*corev1.ConfigMap); ok {
			return c.Data["goodgate.yaml"]
		}
	}
	t.Fatal("no ConfigMap")
	return ""
}

// checkConfig runs goodgate check on a configuration, and accepts no warning.
func checkConfig(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "goodgate.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	c := exec.CommandContext(t.Context(), "go", "run", "./cmd/goodgate", "check", file)
	c.Dir = "../.."
	c.Env = append(os.Environ(), "GOODGATE_TOKEN=0123456789abcdef0123456789abcdef")
	if out, err := c.CombinedOutput(); err != nil || bytes.Contains(out, []byte("warning:")) {
		t.Errorf("goodgate check: %v\n%s%s", err, out, text)
	}
}

// TestManifests checks that the plain manifests equal the chart with its defaults, and
// a chart that uses it as a sidecar. kustomize accepts them, and goodgate accepts their
// configuration.
func TestManifests(t *testing.T) {
	tier, err := render(loadChart(t), map[string]any{"admin": map[string]any{"existingSecret": "goodgate-admin"}})
	must(t, err)
	parent, err := loader.LoadDir("testdata/parent")
	must(t, err)
	parent.AddDependency(loadChart(t))
	sidecar, err := render(parent, nil)
	must(t, err)
	for name, rendered := range map[string]map[string]string{"tier": tier, "sidecar": sidecar} {
		docs := documents(rendered)
		for i, doc := range docs {
			docs[i] = strings.ReplaceAll(doc, "app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kustomize")
		}
		text := "# Generated from deploy/helm/goodgate by: cd packaging && go test ./checks -run Manifests -update\n" + strings.Join(docs, "---\n")
		file := filepath.Join(manifestsDir, name, name+".yaml")
		if *update {
			must(t, os.WriteFile(file, []byte(text), 0o644))
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%s differs from the chart's output, %v: run go test ./checks -run Manifests -update", file, err)
		}
		checkConfig(t, configOf(t, docs))
		wantKustomized(t, filepath.Join(manifestsDir, name), len(docs))
	}
}

func wantKustomized(t *testing.T, dir string, objects int) {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("kustomize build %s: %v", dir, err)
	}
	if built.Size() != objects {
		t.Errorf("kustomize build %s: %d objects, want %d", dir, built.Size(), objects)
	}
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		must(t, err)
		o, err := decode(string(text))
		if err != nil {
			t.Errorf("%s: %v\n%s", dir, err, text)
		}
		if d, ok := o.(*appsv1.Deployment); ok {
			wantSafePod(t, d.Spec.Template.Spec, dir)
			wantSidecarOrOnly(t, d.Spec.Template.Spec)
		}
	}
}

// wantSidecarOrOnly checks that goodgate, if it is a sidecar, starts before the
// application and stops after it.
func wantSidecarOrOnly(t *testing.T, p corev1.PodSpec) {
	t.Helper()
	for _, c := range p.InitContainers {
		if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			t.Errorf("init container %s is no sidecar", c.Name)
		}
	}
	if len(p.InitContainers) == 0 && (len(p.Containers) != 1 || p.Containers[0].Name != "goodgate") {
		t.Errorf("no container of goodgate in %v", p.Containers)
	}
}

// TestExamples checks that the other manifests can be decoded, too.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(manifestsDir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
			if _, err := decode(string(doc)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
