// SPDX-License-Identifier: Apache-2.0
/*
 * TRACE v0.2 Trust Records out of what a log has recorded. Runs in the notary. A record must name a model, a
 * build and an appraisal; of these a gate on the wire knows only its own program, and says so.
 */
#include "attest/claim_make.h"
#include "attest/claim_make_internal.h"
#include "attest/claim_shape.h"

/* The conversation does not show which model runs it. */
#define MODEL_UNKNOWN "not-observed"
/* Nobody has appraised the record: the URI says who did not. */
#define NO_VERIFIER "urn:tollgate:not-appraised"

int trust_record_make(const struct claim_facts *f, const struct claim_signer *s, struct buf *out)
{
	struct making m = { .document = json_object() };
	json_t *part;

	make_head(&m, m.document, f, s);
	make_transcript(&m, m.document, f, false);
	part = make_object(&m, m.document, "model");
	make_text(&m, part, "provider", SPAN(MODEL_UNKNOWN));
	make_text(&m, part, "model_id", SPAN(MODEL_UNKNOWN));
	part = make_object(&m, m.document, "build_provenance");
	make_count(&m, part, "slsa_level", 0);
	make_text(&m, part, "digest", f->program_hash);
	part = make_object(&m, m.document, "appraisal");
	make_text(&m, part, "status", SPAN("none"));
	make_text(&m, part, "verifier", SPAN(NO_VERIFIER));
	part = make_object(&m, m.document, "origin");
	make_text(&m, part, "kind", SPAN("self"));
	make_text(&m, part, "producer", f->producer);
	make_text(&m, part, "source_event_id", f->session_id);
	return make_sign(&m, &trust_record_shape, s, out);
}
