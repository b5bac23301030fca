// OpenCL errors as statuses.
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "runtime/device/cl.h"

static void test_names(void **state) {
    (void)state;
    assert_string_equal(encl_cl_error_name(0), "CL_SUCCESS");
    assert_string_equal(encl_cl_error_name(-5), "CL_OUT_OF_RESOURCES");
    assert_string_equal(encl_cl_error_name(-72), "CL_MAX_SIZE_RESTRICTION_EXCEEDED");
    assert_string_equal(encl_cl_error_name(-1001), "CL_PLATFORM_NOT_FOUND_KHR");
    assert_string_equal(encl_cl_error_name(-9999), "unknown");
    assert_string_equal(encl_cl_error_name(-20), "unknown");
    // The specification leaves no hole in these two ranges.
    for (cl_int error = -19; error <= 0; error++) {
        assert_string_not_equal(encl_cl_error_name(error), "unknown");
    }
    for (cl_int error = -72; error <= -30; error++) {
        assert_string_not_equal(encl_cl_error_name(error), "unknown");
    }
}

static void test_statuses(void **state) {
    (void)state;
    static const struct {
        cl_int error;
        encl_status status;
    } rows[] = {
        {-6, ENCL_OUT_OF_MEMORY}, {-4, ENCL_DEVICE_MEMORY}, {-5, ENCL_DEVICE_MEMORY}, {-61, ENCL_DEVICE_MEMORY},
        {-11, ENCL_BUILD},        {-15, ENCL_BUILD},        {-17, ENCL_BUILD},        {-1, ENCL_NO_DEVICE},
        {-2, ENCL_NO_DEVICE},     {-1001, ENCL_NO_DEVICE},  {-36, ENCL_DEVICE},       {-9999, ENCL_DEVICE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(encl_cl_fail(rows[i].error, "clFinish"), rows[i].status);
    }
}

static encl_status fail_in_a_call(void) {
    encl_status status = ENCL_OK;
    ENCL_CL_TRY(clRetainContext(NULL));

cleanup:
    return status;
}

static void test_detail(void **state) {
    (void)state;
    encl_cl_fail(-9999, "clFinish");
    assert_non_null(strstr(encl_status_detail(), "clFinish: unknown (-9999)"));
    assert_int_equal(fail_in_a_call(), ENCL_DEVICE);
    // Of the whole call only the function's name.
    assert_non_null(strstr(encl_status_detail(), "clRetainContext: CL_INVALID_CONTEXT (-34)"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_detail),
    };
    return encl_test_main(tests);
}
