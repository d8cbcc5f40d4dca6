package web

import (
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// addCourse draws how many errors there were over the time that a list of groups is of. Where there were none, it says when the last one was.
func (s *Server) addCourse(c echo.Context, ask errorsQuery, filter queue.GroupFilter, found queue.ErrorGroups, v *templates.ErrorsView) error {
	ctx := c.Request().Context()
	if len(found.Groups) == 0 {
		if v.Filtered || !ask.bounded() {
			return nil
		}
		ever, err := s.Engine.ErrorGroups(ctx, queue.GroupFilter{Queues: filter.Queues, Order: "last_seen", Limit: 1})
		if err == nil && len(ever.Groups) > 0 {
			v.LastError = &ever.Groups[0].LastSeen
		}
		return err
	}
	course, err := s.Engine.ErrorCourse(ctx, filter)
	if err != nil {
		return err
	}
	return s.drawCourse(c, ask, filter.Queues, course, v)
}

// drawCourse draws the steps of a time, with the marks of that time. Each bar leads to its step.
func (s *Server) drawCourse(c echo.Context, ask errorsQuery, queues []string, course queue.ErrorCourse, v *templates.ErrorsView) error {
	if len(course.Counts) == 0 {
		return nil
	}
	ends := course.Begins.Add(time.Duration(len(course.Counts)) * course.Step)
	marks, err := s.Metrics.Marks(c.Request().Context(), queues, course.Begins, ends)
	if err != nil {
		return err
	}
	d := templates.Course{Begins: course.Begins, Ends: ends, Step: course.Step, Time: v.Time}
	if d.Time == "" {
		over := ends.Sub(course.Begins)
		if over > 48*time.Hour {
			over = over.Truncate(24 * time.Hour)
		}
		d.Time = "in the last " + templates.Span(over)
	}
	if now := s.Now(); now.Before(ends) {
		d.Until = &now
	}
	for i, n := range course.Counts {
		from := course.Begins.Add(time.Duration(i) * course.Step)
		to := ask.at("", from.UTC().Format(time.RFC3339), from.Add(course.Step).UTC().Format(time.RFC3339))
		d.Bars = append(d.Bars, templates.CourseBar{From: from, Errors: n, Href: to.url("", "")})
	}
	for _, m := range marks {
		d.Marks = append(d.Marks, templates.CourseMark{At: time.Unix(m.At, 0), Text: m.Text})
	}
	v.Course = &d
	return nil
}

// errorsURL leads to the errors of all queues of any time whose messages contain a text.
func errorsURL(text string) string {
	return "/errors?" + url.Values{"within": {anyTime}, "q": {text}}.Encode()
}
