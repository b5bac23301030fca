// The check that every JSON text passes before cJSON sees it. For json.c.
#ifndef ENCL_BASE_JSON_SCAN_H
#define ENCL_BASE_JSON_SCAN_H

#include "runtime/base/status.h"

// Accepts exactly the texts that json.h promises to accept; the message names place, line and byte.
encl_status encl_json_scan(const char *place, const char *text, size_t length);

#endif
