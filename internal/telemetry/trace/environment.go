package trace

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The SDK and its exporter read the OTEL_ variables themselves, and answer what they cannot
// read with their defaults: a typing error would send traces elsewhere, or nowhere. Each
// variable that this package documents is therefore checked first. Errors name the variable
// and never quote the value of a header.

// environment is the OTEL_ variables that are set, without spaces around their values.
type environment map[string]string

// readEnvironment reads all variables that have an effect here or in the SDK.
func readEnvironment() environment {
	env := environment{
		"OTEL_SDK_DISABLED":                            os.Getenv("OTEL_SDK_DISABLED"),
		"OTEL_SERVICE_NAME":                            os.Getenv("OTEL_SERVICE_NAME"),
		"OTEL_RESOURCE_ATTRIBUTES":                     os.Getenv("OTEL_RESOURCE_ATTRIBUTES"),
		"OTEL_TRACES_EXPORTER":                         os.Getenv("OTEL_TRACES_EXPORTER"),
		"OTEL_TRACES_SAMPLER":                          os.Getenv("OTEL_TRACES_SAMPLER"),
		"OTEL_TRACES_SAMPLER_ARG":                      os.Getenv("OTEL_TRACES_SAMPLER_ARG"),
		"OTEL_BSP_SCHEDULE_DELAY":                      os.Getenv("OTEL_BSP_SCHEDULE_DELAY"),
		"OTEL_BSP_EXPORT_TIMEOUT":                      os.Getenv("OTEL_BSP_EXPORT_TIMEOUT"),
		"OTEL_BSP_MAX_QUEUE_SIZE":                      os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE"),
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":               os.Getenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
		"OTEL_EXPORTER_OTLP_ENDPOINT":                  os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"),
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":           os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
		"OTEL_EXPORTER_OTLP_PROTOCOL":                  os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"),
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL":           os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
		"OTEL_EXPORTER_OTLP_HEADERS":                   os.Getenv("OTEL_EXPORTER_OTLP_HEADERS"),
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS":            os.Getenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
		"OTEL_EXPORTER_OTLP_TIMEOUT":                   os.Getenv("OTEL_EXPORTER_OTLP_TIMEOUT"),
		"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT":            os.Getenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"),
		"OTEL_EXPORTER_OTLP_COMPRESSION":               os.Getenv("OTEL_EXPORTER_OTLP_COMPRESSION"),
		"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION":        os.Getenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"),
		"OTEL_EXPORTER_OTLP_INSECURE":                  os.Getenv("OTEL_EXPORTER_OTLP_INSECURE"),
		"OTEL_EXPORTER_OTLP_TRACES_INSECURE":           os.Getenv("OTEL_EXPORTER_OTLP_TRACES_INSECURE"),
		"OTEL_EXPORTER_OTLP_CERTIFICATE":               os.Getenv("OTEL_EXPORTER_OTLP_CERTIFICATE"),
		"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE":        os.Getenv("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"),
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE":        os.Getenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
		"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": os.Getenv("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE"),
		"OTEL_EXPORTER_OTLP_CLIENT_KEY":                os.Getenv("OTEL_EXPORTER_OTLP_CLIENT_KEY"),
		"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY":         os.Getenv("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"),
	}
	for name, value := range env {
		env[name] = strings.TrimSpace(value)
	}
	return env
}

// enabled reports whether traces are to be exported. An error names a variable that cannot
// be used.
func (e environment) enabled() (bool, error) {
	if strings.EqualFold(e["OTEL_SDK_DISABLED"], "true") {
		return false, nil
	}
	exporter := e["OTEL_TRACES_EXPORTER"]
	switch exporter {
	case "none":
		return false, nil
	case "", "otlp":
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER: %q is not supported: use otlp or none", exporter)
	}
	endpoint := e.exporter("ENDPOINT")
	if endpoint.value == "" && exporter == "" {
		return false, nil // off unless it is asked for
	}
	return true, cmp.Or(
		checkEndpoint(endpoint), checkProtocol(e.exporter("PROTOCOL")), checkPairs(e.exporter("HEADERS")),
		checkTimeout(e.exporter("TIMEOUT")), checkCompression(e.exporter("COMPRESSION")), checkBool(e.exporter("INSECURE")),
		e.checkCertificates(), e.checkSampler(), checkPairs(e.variable("OTEL_RESOURCE_ATTRIBUTES")), e.checkQueue(),
	)
}

// variable is a variable and its value, "" when it is not set.
type variable struct{ name, value string }

func (e environment) variable(name string) variable { return variable{name, e[name]} }

// exporter is the setting of the exporter for traces, else the one for all signals.
func (e environment) exporter(suffix string) variable {
	if v := e.variable("OTEL_EXPORTER_OTLP_TRACES_" + suffix); v.value != "" {
		return v
	}
	return e.variable("OTEL_EXPORTER_OTLP_" + suffix)
}

func (v variable) problem(format string, args ...any) error {
	return fmt.Errorf("%s: %s", v.name, fmt.Sprintf(format, args...))
}

// checkEndpoint does not quote the URL, which may hold a password.
func checkEndpoint(v variable) error {
	if v.value == "" {
		return nil
	}
	u, err := url.Parse(v.value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return v.problem("not a URL: give it as http://collector:4318")
	}
	if u.User != nil {
		return v.problem("a user in the URL is not sent: give OTEL_EXPORTER_OTLP_HEADERS=authorization=…")
	}
	return nil
}

func checkProtocol(v variable) error {
	if v.value == "" || v.value == "http/protobuf" {
		return nil
	}
	return v.problem("%q is not supported: use http/protobuf, which collectors take on port 4318", v.value)
}

// checkPairs checks headers or attributes.
func checkPairs(v variable) error {
	if v.value == "" {
		return nil
	}
	for i, pair := range strings.Split(v.value, ",") {
		name, value, ok := strings.Cut(pair, "=")
		_, err := url.PathUnescape(value)
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t\"(),/:;<=>?@[\\]{}") || err != nil {
			return v.problem("pair %d is not of the form name=value, with the value percent-encoded", i+1)
		}
	}
	return nil
}

func checkTimeout(v variable) error {
	if v.value == "" {
		return nil
	}
	if n, err := strconv.Atoi(v.value); err != nil || n <= 0 {
		return v.problem("%q is not a number of milliseconds", v.value)
	}
	return nil
}

func checkCompression(v variable) error {
	if slices.Contains([]string{"", "none", "gzip"}, v.value) {
		return nil
	}
	return v.problem("%q is not supported: use gzip or none", v.value)
}

func checkBool(v variable) error {
	if v.value == "" || strings.EqualFold(v.value, "true") || strings.EqualFold(v.value, "false") {
		return nil
	}
	return v.problem("%q is neither true nor false", v.value)
}

// checkCertificates reads the files of the collector's authority and of the client.
func (e environment) checkCertificates() error {
	if v := e.exporter("CERTIFICATE"); v.value != "" {
		data, err := os.ReadFile(v.value)
		if err != nil {
			return v.problem("%v", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(data) {
			return v.problem("%s holds no PEM certificate", v.value)
		}
	}
	certificate, key := e.exporter("CLIENT_CERTIFICATE"), e.exporter("CLIENT_KEY")
	if certificate.value == "" && key.value == "" {
		return nil
	}
	if certificate.value == "" || key.value == "" {
		return certificate.problem("the client's certificate and its key (%s) belong together", key.name)
	}
	if _, err := tls.LoadX509KeyPair(certificate.value, key.value); err != nil {
		return certificate.problem("the client's certificate and key cannot be used: %v", err)
	}
	return nil
}

// samplers are the values of OTEL_TRACES_SAMPLER that the SDK knows.
var samplers = []string{"", "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}

func (e environment) checkSampler() error {
	sampler, arg := e.variable("OTEL_TRACES_SAMPLER"), e.variable("OTEL_TRACES_SAMPLER_ARG")
	if !slices.Contains(samplers, strings.ToLower(sampler.value)) {
		return sampler.problem("%q is not supported: use one of %s", sampler.value, strings.Join(samplers[1:], ", "))
	}
	if !strings.HasSuffix(strings.ToLower(sampler.value), "traceidratio") || arg.value == "" {
		return nil
	}
	if ratio, err := strconv.ParseFloat(arg.value, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
		return arg.problem("%q is not a share from 0 to 1", arg.value)
	}
	return nil
}

// checkQueue checks the limits of the queue between spans and the exporter.
func (e environment) checkQueue() error {
	for _, name := range []string{"OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"} {
		v := e.variable(name)
		if n, err := strconv.Atoi(v.value); v.value != "" && (err != nil || n <= 0) {
			return v.problem("%q is not a number above 0", v.value)
		}
	}
	return nil
}

// maxQueueSize is how many spans wait for the exporter at most.
func (e environment) maxQueueSize() int64 {
	if n, err := strconv.Atoi(e.variable("OTEL_BSP_MAX_QUEUE_SIZE").value); err == nil && n > 0 {
		return int64(n)
	}
	return defaultQueueSize
}

// defaultQueueSize is the SDK's own.
const defaultQueueSize = 2048
