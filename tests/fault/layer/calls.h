// The OpenCL calls that the layer stands between: everything that encl and CLBlast call, and what else makes, fills,
// copies or waits for buffers, programs, kernels, queues and events. Images, SVM and graphics are passed on unseen.
//
// A call is WORK where a lost device fails it, and CARE where it only asks for or gives back: that goes on working.
#ifndef ENCL_FAULT_CALLS_H
#define ENCL_FAULT_CALLS_H

// X(class, name, parameters, arguments): calls whose result is a cl_int.
#define ENCL_FAULT_STATUS_CALLS(X)                                                                                    \
    X(CARE, clGetPlatformIDs, (cl_uint n, cl_platform_id * ids, cl_uint * count), (n, ids, count))                    \
    X(CARE, clGetPlatformInfo, (cl_platform_id id, cl_platform_info name, size_t size, void *value, size_t *length),  \
      (id, name, size, value, length))                                                                                \
    X(CARE, clGetDeviceIDs, (cl_platform_id id, cl_device_type type, cl_uint n, cl_device_id * ids, cl_uint * count), \
      (id, type, n, ids, count))                                                                                      \
    X(CARE, clGetDeviceInfo, (cl_device_id id, cl_device_info name, size_t size, void *value, size_t *length),        \
      (id, name, size, value, length))                                                                                \
    X(CARE, clRetainDevice, (cl_device_id id), (id))                                                                  \
    X(CARE, clReleaseDevice, (cl_device_id id), (id))                                                                 \
    X(CARE, clRetainContext, (cl_context context), (context))                                                         \
    X(CARE, clReleaseContext, (cl_context context), (context))                                                        \
    X(CARE, clGetContextInfo, (cl_context context, cl_context_info name, size_t size, void *value, size_t *length),   \
      (context, name, size, value, length))                                                                           \
    X(CARE, clRetainCommandQueue, (cl_command_queue queue), (queue))                                                  \
    X(CARE, clReleaseCommandQueue, (cl_command_queue queue), (queue))                                                 \
    X(CARE, clGetCommandQueueInfo,                                                                                    \
      (cl_command_queue queue, cl_command_queue_info name, size_t size, void *value, size_t *length),                 \
      (queue, name, size, value, length))                                                                             \
    X(CARE, clRetainMemObject, (cl_mem memory), (memory))                                                             \
    X(CARE, clReleaseMemObject, (cl_mem memory), (memory))                                                            \
    X(CARE, clGetMemObjectInfo, (cl_mem memory, cl_mem_info name, size_t size, void *value, size_t *length),          \
      (memory, name, size, value, length))                                                                            \
    X(CARE, clRetainProgram, (cl_program program), (program))                                                         \
    X(CARE, clReleaseProgram, (cl_program program), (program))                                                        \
    X(WORK, clBuildProgram,                                                                                           \
      (cl_program program, cl_uint n, const cl_device_id *ids, const char *options,                                   \
       void(CL_CALLBACK * notify)(cl_program, void *), void *data),                                                   \
      (program, n, ids, options, notify, data))                                                                       \
    X(WORK, clCompileProgram,                                                                                         \
      (cl_program program, cl_uint n, const cl_device_id *ids, const char *options, cl_uint headers,                  \
       const cl_program *texts, const char **names, void(CL_CALLBACK * notify)(cl_program, void *), void *data),      \
      (program, n, ids, options, headers, texts, names, notify, data))                                                \
    X(CARE, clGetProgramInfo, (cl_program program, cl_program_info name, size_t size, void *value, size_t *length),   \
      (program, name, size, value, length))                                                                           \
    X(CARE, clGetProgramBuildInfo,                                                                                    \
      (cl_program program, cl_device_id id, cl_program_build_info name, size_t size, void *value, size_t *length),    \
      (program, id, name, size, value, length))                                                                       \
    X(CARE, clRetainKernel, (cl_kernel kernel), (kernel))                                                             \
    X(CARE, clReleaseKernel, (cl_kernel kernel), (kernel))                                                            \
    X(WORK, clSetKernelArg, (cl_kernel kernel, cl_uint index, size_t size, const void *value),                        \
      (kernel, index, size, value))                                                                                   \
    X(CARE, clGetKernelInfo, (cl_kernel kernel, cl_kernel_info name, size_t size, void *value, size_t *length),       \
      (kernel, name, size, value, length))                                                                            \
    X(CARE, clGetKernelArgInfo,                                                                                       \
      (cl_kernel kernel, cl_uint index, cl_kernel_arg_info name, size_t size, void *value, size_t *length),           \
      (kernel, index, name, size, value, length))                                                                     \
    X(CARE, clGetKernelWorkGroupInfo,                                                                                 \
      (cl_kernel kernel, cl_device_id id, cl_kernel_work_group_info name, size_t size, void *value, size_t *length),  \
      (kernel, id, name, size, value, length))                                                                        \
    X(WORK, clWaitForEvents, (cl_uint n, const cl_event *events), (n, events))                                        \
    X(CARE, clGetEventInfo, (cl_event event, cl_event_info name, size_t size, void *value, size_t *length),           \
      (event, name, size, value, length))                                                                             \
    X(CARE, clRetainEvent, (cl_event event), (event))                                                                 \
    X(CARE, clReleaseEvent, (cl_event event), (event))                                                                \
    X(WORK, clGetEventProfilingInfo,                                                                                  \
      (cl_event event, cl_profiling_info name, size_t size, void *value, size_t *length),                             \
      (event, name, size, value, length))                                                                             \
    X(WORK, clSetEventCallback,                                                                                       \
      (cl_event event, cl_int type, void(CL_CALLBACK * notify)(cl_event, cl_int, void *), void *data),                \
      (event, type, notify, data))                                                                                    \
    X(WORK, clSetUserEventStatus, (cl_event event, cl_int result), (event, result))                                   \
    X(WORK, clFlush, (cl_command_queue queue), (queue))                                                               \
    X(WORK, clFinish, (cl_command_queue queue), (queue))

// X(name, parameters, arguments): commands; each has queue, waits (how many), wait_list and event. All are WORK.
#define ENCL_FAULT_COMMANDS(X)                                                                                         \
    X(clEnqueueReadBuffer,                                                                                             \
      (cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset, size_t size, void *host, cl_uint waits, \
       const cl_event *wait_list, cl_event *event),                                                                    \
      (queue, memory, blocking, offset, size, host, waits, wait_list, event))                                          \
    X(clEnqueueWriteBuffer,                                                                                            \
      (cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset, size_t size, const void *host,          \
       cl_uint waits, const cl_event *wait_list, cl_event *event),                                                     \
      (queue, memory, blocking, offset, size, host, waits, wait_list, event))                                          \
    X(clEnqueueCopyBuffer,                                                                                             \
      (cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset, size_t size,              \
       cl_uint waits, const cl_event *wait_list, cl_event *event),                                                     \
      (queue, from, to, from_offset, to_offset, size, waits, wait_list, event))                                        \
    X(clEnqueueFillBuffer,                                                                                             \
      (cl_command_queue queue, cl_mem memory, const void *pattern, size_t pattern_size, size_t offset, size_t size,    \
       cl_uint waits, const cl_event *wait_list, cl_event *event),                                                     \
      (queue, memory, pattern, pattern_size, offset, size, waits, wait_list, event))                                   \
    X(clEnqueueUnmapMemObject,                                                                                         \
      (cl_command_queue queue, cl_mem memory, void *mapped, cl_uint waits, const cl_event *wait_list,                  \
       cl_event *event),                                                                                               \
      (queue, memory, mapped, waits, wait_list, event))                                                                \
    X(clEnqueueMigrateMemObjects,                                                                                      \
      (cl_command_queue queue, cl_uint n, const cl_mem *memories, cl_mem_migration_flags flags, cl_uint waits,         \
       const cl_event *wait_list, cl_event *event),                                                                    \
      (queue, n, memories, flags, waits, wait_list, event))                                                            \
    X(clEnqueueNDRangeKernel,                                                                                          \
      (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset, const size_t *global,       \
       const size_t *local, cl_uint waits, const cl_event *wait_list, cl_event *event),                                \
      (queue, kernel, dimensions, offset, global, local, waits, wait_list, event))                                     \
    X(clEnqueueMarkerWithWaitList,                                                                                     \
      (cl_command_queue queue, cl_uint waits, const cl_event *wait_list, cl_event *event),                             \
      (queue, waits, wait_list, event))                                                                                \
    X(clEnqueueBarrierWithWaitList,                                                                                    \
      (cl_command_queue queue, cl_uint waits, const cl_event *wait_list, cl_event *event),                             \
      (queue, waits, wait_list, event))

// X(type, name, parameters, arguments): calls that make something and have errcode. All are WORK.
#define ENCL_FAULT_MAKING_CALLS(X)                                                                                    \
    X(cl_context, clCreateContext,                                                                                    \
      (const cl_context_properties *properties, cl_uint n, const cl_device_id *ids,                                   \
       void(CL_CALLBACK * notify)(const char *, const void *, size_t, void *), void *data, cl_int *errcode),          \
      (properties, n, ids, notify, data, errcode))                                                                    \
    X(cl_command_queue, clCreateCommandQueue,                                                                         \
      (cl_context context, cl_device_id id, cl_command_queue_properties properties, cl_int * errcode),                \
      (context, id, properties, errcode))                                                                             \
    X(cl_command_queue, clCreateCommandQueueWithProperties,                                                           \
      (cl_context context, cl_device_id id, const cl_queue_properties *properties, cl_int *errcode),                  \
      (context, id, properties, errcode))                                                                             \
    X(cl_mem, clCreateBuffer, (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *errcode),     \
      (context, flags, size, host, errcode))                                                                          \
    X(cl_mem, clCreateSubBuffer,                                                                                      \
      (cl_mem memory, cl_mem_flags flags, cl_buffer_create_type type, const void *region, cl_int *errcode),           \
      (memory, flags, type, region, errcode))                                                                         \
    X(cl_program, clCreateProgramWithSource,                                                                          \
      (cl_context context, cl_uint n, const char **texts, const size_t *lengths, cl_int *errcode),                    \
      (context, n, texts, lengths, errcode))                                                                          \
    X(cl_program, clCreateProgramWithBinary,                                                                          \
      (cl_context context, cl_uint n, const cl_device_id *ids, const size_t *lengths, const unsigned char **binaries, \
       cl_int *statuses, cl_int *errcode),                                                                            \
      (context, n, ids, lengths, binaries, statuses, errcode))                                                        \
    X(cl_kernel, clCreateKernel, (cl_program program, const char *name, cl_int *errcode), (program, name, errcode))   \
    X(cl_event, clCreateUserEvent, (cl_context context, cl_int * errcode), (context, errcode))                        \
    X(void *, clEnqueueMapBuffer,                                                                                     \
      (cl_command_queue queue, cl_mem memory, cl_bool blocking, cl_map_flags flags, size_t offset, size_t size,       \
       cl_uint waits, const cl_event *wait_list, cl_event *event, cl_int *errcode),                                   \
      (queue, memory, blocking, flags, offset, size, waits, wait_list, event, errcode))

#endif
