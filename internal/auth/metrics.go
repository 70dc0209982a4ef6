package auth

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// decisionCounters count the authorizer's decisions, one for each request: the refusal, or
// the result of Authorize. Requests that only authenticate count when they are refused.
type decisionCounters struct {
	ok, fault prometheus.Counter
	refused   map[media.Code]prometheus.Counter
}

// refusalCodes are the codes that an Authorizer and its CodeRedeemer can refuse with: the
// label's closed set.
var refusalCodes = [...]media.Code{
	media.CodeNotAuthenticated, media.CodeTokenNotValid, media.CodeCodeNotValid, media.CodeUserNotFound, media.CodeUserInactive,
	media.CodeNotFound, media.CodeNoMedia, media.CodeNoAccess, media.CodeWrongRecording,
	media.CodeExpired, media.CodeProcessing,
}

// newDecisionCounters registers the metric with every series at zero.
func newDecisionCounters(reg prometheus.Registerer) (decisionCounters, error) {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_auth_total", Help: "Access decisions by result: ok, a refusal's code, or error.",
	}, []string{"result"})
	if err := reg.Register(total); err != nil {
		return decisionCounters{}, err
	}
	// Resolved once: looking a label up costs more than the decision.
	r := decisionCounters{
		ok: total.WithLabelValues("ok"), fault: total.WithLabelValues("error"),
		refused: make(map[media.Code]prometheus.Counter, len(refusalCodes)),
	}
	for _, code := range refusalCodes {
		r.refused[code] = total.WithLabelValues(string(code))
	}
	return r, nil
}

func (r decisionCounters) count(err error) {
	if err == nil {
		r.ok.Inc()
		return
	}
	if refusal := media.RefusalOf(err); refusal != nil {
		if counter, ok := r.refused[refusal.Code]; ok {
			counter.Inc()
			return
		}
	}
	r.fault.Inc()
}
