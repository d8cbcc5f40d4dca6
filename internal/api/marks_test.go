package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/charts"
)

func TestMarksAreNotedForChartsOfAQueueOrOfAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(http.StatusCreated, "PUT", "/api/v1/queues/pages", `{}`)
	w.must(http.StatusCreated, "POST", "/api/v1/marks", `{"text":"v1.2.3"}`)
	w.must(http.StatusCreated, "POST", "/api/v1/marks", `{"text":"v2","queue":"pages","at":"-1 hour"}`)
	for body, field := range map[string]string{
		`{"text":""}`: "text", `{"text":"` + strings.Repeat("x", 201) + `"}`: "text", `{"text":"x","at":"soon"}`: "at", `{"text":"x","at":"-3 years"}`: "at",
	} {
		w.refuses(w.call("POST", "/api/v1/marks", body), http.StatusUnprocessableEntity, "invalid", field)
	}
	w.refuses(w.call("POST", "/api/v1/marks", `{"text":"x","queue":"nothing"}`), http.StatusNotFound, "not_found", "queue")
	some := "Bearer " + w.token("some", []string{auth.Metrics}, []string{"pages"})
	w.refuses(w.call("POST", "/api/v1/marks", `{"text":"x"}`, "Authorization", some), http.StatusForbidden, "forbidden", "queue")
	w.refuses(w.call("POST", "/api/v1/marks", `{"text":"x","queue":"images"}`, "Authorization", some), http.StatusForbidden, "forbidden", "queue")
	list, err := charts.NewStore(w.db).Marks(t.Context(), []string{"pages"}, time.Now().Add(-2*time.Hour), time.Now().Add(time.Minute))
	if err != nil || len(list) != 2 || list[0].Text != "v2" || list[1].Text != "v1.2.3" {
		t.Errorf("%+v, %v", list, err)
	}
}
