// Put before every kernel file. OpenCL C 1.2.
#pragma OPENCL FP_CONTRACT OFF
