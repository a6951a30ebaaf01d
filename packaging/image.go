package main

import (
	"bytes"
	"encoding/pem"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// User and group of the process in a container.
const (
	imageUID   = 65532
	imageUser  = "65532:65532"
	imageNames = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:goodgate:/:/sbin/nologin\n"
	imageGroup = "root:x:0:\nnonroot:x:65532:\n"
)

const imageConfig = "/etc/goodgate/goodgate.yaml"

// images builds an image for each processor as a tarball for `docker load`, and one OCI
// layout with all of them.
func (r *release) images() error {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, t := range onLinux() {
		img, err := r.image(t)
		if err != nil {
			return err
		}
		tag, err := name.NewTag("goodgate:"+r.version, name.WithDefaultRegistry(""))
		if err != nil {
			return err
		}
		if err := tarball.WriteToFile(r.to("goodgate-%s-%s-image.tar", r.version, t), tag, img); err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: t.os, Architecture: t.arch},
		}})
	}
	dir := r.staged("oci")
	if _, err := layout.Write(dir, mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: index, Descriptor: v1.Descriptor{Annotations: map[string]string{"org.opencontainers.image.ref.name": r.version}}})); err != nil {
		return err
	}
	files, err := folder("", dir)
	if err != nil {
		return err
	}
	return create(r.to("goodgate-%s-oci.tar", r.version), func(w io.Writer) error { return writeTar(w, "", files, r.time) })
}

func (r *release) image(t target) (v1.Image, error) {
	layer, err := r.layer(t)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(base, mutate.Addendum{
		Layer: layer, History: v1.History{Created: v1.Time{Time: r.time}, CreatedBy: "goodgate " + r.version},
	})
	if err != nil {
		return nil, err
	}
	c, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, r.imageConfig(t, c.DeepCopy()))
}

func (r *release) imageConfig(t target, c *v1.ConfigFile) *v1.ConfigFile {
	c.OS, c.Architecture = t.os, t.arch
	c.Created = v1.Time{Time: r.time}
	c.Config = v1.Config{
		User:         imageUser,
		Entrypoint:   []string{"/goodgate"},
		Cmd:          []string{"run", "--config", imageConfig},
		WorkingDir:   "/",
		Env:          []string{"PATH=/"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		StopSignal:   "SIGTERM",
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/goodgate", "health", "--config", imageConfig},
			Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: 5 * time.Second, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":         "goodgate",
			"org.opencontainers.image.description":   "A health-checking reverse proxy and load balancer",
			"org.opencontainers.image.version":       r.version,
			"org.opencontainers.image.revision":      r.commit,
			"org.opencontainers.image.created":       r.time.Format(time.RFC3339),
			"org.opencontainers.image.licenses":      "Apache-2.0",
			"org.opencontainers.image.source":        homepage,
			"org.opencontainers.image.documentation": homepage + "/blob/main/docs/install.md",
		},
	}
	return c
}

// layer returns the files of the image. It has no shell, no library and no package
// manager.
func (r *release) layer(t target) (v1.Layer, error) {
	if err := r.certificates(); err != nil {
		return nil, err
	}
	if err := r.write("image/passwd", imageNames); err != nil {
		return nil, err
	}
	if err := r.write("image/group", imageGroup); err != nil {
		return nil, err
	}
	dir := func(name string, mode fs.FileMode, uid int) file {
		return file{name: name, mode: fs.ModeDir | mode, owner: uid}
	}
	files := []file{
		{name: "goodgate", path: r.binary(t), mode: 0o755},
		dir("etc", 0o755, 0),
		dir("etc/goodgate", 0o755, 0),
		{name: imageConfig[1:], path: filepath.Join(r.root, "packaging/files/image.yaml"), mode: 0o644},
		{name: "etc/group", path: r.staged("image/group"), mode: 0o644},
		{name: "etc/passwd", path: r.staged("image/passwd"), mode: 0o644},
		dir("etc/ssl", 0o755, 0),
		dir("etc/ssl/certs", 0o755, 0),
		{name: "etc/ssl/certs/ca-certificates.crt", path: r.staged("image/ca-certificates.crt"), mode: 0o644},
		dir("licenses", 0o755, 0),
		{name: "licenses/LICENSE", path: filepath.Join(r.root, "LICENSE"), mode: 0o644},
		{name: "licenses/licenses.txt", path: r.staged("doc/licenses.txt"), mode: 0o644},
		dir("run", 0o755, 0),
		dir("run/goodgate", 0o750, imageUID), // for unix sockets
		dir("tmp", 0o777|fs.ModeSticky, 0),
		dir("var", 0o755, 0),
		dir("var/lib", 0o755, 0),
		dir("var/lib/goodgate", 0o750, imageUID), // for certificates by ACME
	}
	var packed bytes.Buffer
	if err := compress(&packed, func(w io.Writer) error { return writeTar(w, "", files, r.time) }); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
}

// certificates writes Mozilla's trusted authorities from the module version in go.sum,
// and not those of the building machine.
func (r *release) certificates() error {
	return create(r.staged("image/ca-certificates.crt"), func(w io.Writer) error {
		for root := range bundle.Roots() {
			if root.Constraint != nil {
				continue // a file of certificates cannot express the constraint
			}
			if err := pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
				return err
			}
		}
		return nil
	})
}
