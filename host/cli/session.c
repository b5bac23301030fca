#include "host/cli/session.h"

#include <inttypes.h>

#include "host/cli/options.h"
#include "runtime/base/log.h"
#include "runtime/measure/profile.h"

encl_status encl_session_open(const encl_globals *globals, const char *path, encl_session *session) {
    encl_status status = ENCL_OK;
    encl_session opened = {0};
    *session = opened;
    ENCL_TRY(encl_globals_executable(globals, &opened.executable));
    ENCL_TRY(encl_model_open(path, &opened.model));
    ENCL_TRY(encl_globals_device(globals, &opened.device));
    if (globals->collector != NULL) {
        globals->collector->layers = encl_model_get_info(opened.model)->layers;
    }
    ENCL_TRY(encl_globals_precision(globals, opened.model, opened.device, &opened.executable, &opened.precision));
    *session = opened;
    opened = (encl_session){0};
cleanup:
    encl_session_close(&opened);
    return status;
}

void encl_session_close(encl_session *session) {
    encl_chosen_precision_free(&session->precision);
    if (session->model != NULL) {
        encl_model_close(session->model);
    }
    *session = (encl_session){0};
}

void encl_warn_truncated(int64_t truncated, int64_t texts, int64_t max_length) {
    if (truncated > 0) {
        encl_warn("%" PRId64 " of %" PRId64 " texts had more than %" PRId64 " tokens and were truncated", truncated,
                  texts, max_length);
    }
}
